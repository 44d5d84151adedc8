/** Tensors, control messages and heartbeats over one link: sequence numbers, chunks, back-pressure, counting. */
import { type ControlSchemas, parseControl } from "./control.ts";
import type { Counters } from "./counters.ts";
import type { ControlMessage, MessageKey, WireTensor, WireWord } from "./endpoint.ts";
import {
  Float16RangeError,
  FrameError,
  LinkClosedError,
  OversizedError,
  SendBufferFullError,
  SequenceError,
  WireError,
} from "./errors.ts";
import { beyondFloat16, MAX_FLOAT16 } from "./float16.ts";
import {
  decodeHeader,
  encodeHeader,
  type FrameHeader,
  frameWordBytes,
  HEADER_BYTES,
  webSocketHeaderBytes,
} from "./frame.ts";
import type { WireLimits } from "./limits.ts";
import { alignPayload, packPayload, wordOnWire } from "./payload.ts";
import type { Link } from "./transport.ts";

export interface ChannelEvents {
  /** A whole tensor; `bytes` is aligned to its words and belongs to the receiver. */
  tensor(header: FrameHeader, bytes: Uint8Array): void;
  control(message: ControlMessage): void;
  /** The peer broke the protocol. */
  fault(error: WireError): void;
  /** The link is gone, not by us. */
  closed(reason: string): void;
}

const NOTHING: Promise<void> = Promise.resolve();

/**
 * Memory of the last frame that a link was done with, for the next one: sockets take most frames at once, and memory that is in
 * the cache and causes no garbage collection made a send of 36 KiB three times cheaper (50 to 15 us of CPU).
 */
let spare: ArrayBuffer | null = null;
const MAX_SPARE_BYTES = 256 * 1024;

function takeFrame(length: number): Uint8Array {
  const buffer = spare;
  spare = null;
  if (buffer !== null && buffer.byteLength >= length && buffer.byteLength <= MAX_SPARE_BYTES)
    return Buffer.from(buffer, 0, length);
  return Buffer.allocUnsafeSlow(length);
}

/** One link that speaks frames. The peer has no name until its hello was accepted. */
export class PeerChannel {
  readonly link: Link;
  /** Silence after which `fellSilent` says so. */
  readonly silenceLimitMs: number;
  #peer: string | null = null;
  readonly #counters: Counters;
  readonly #limits: WireLimits;
  readonly #schemas: ControlSchemas;
  readonly #events: ChannelEvents;
  #sendSequence = 0;
  #receiveSequence = 0;
  #ended = false;
  #endReason: Error | null = null;
  #paused = false;
  /** Frames arrived, and were sent, since the last tick; time without either. */
  #heard = false;
  #spoke = false;
  #silentMs = 0;
  #idleMs = 0;
  /** The chunked tensor on its way out, and tensors behind it. */
  #sending: Promise<void> | null = null;
  /** The chunked tensor on its way in. */
  #assembling: { header: FrameHeader; bytes: Uint8Array } | null = null;
  /** Control bytes of the handshake, counted once the peer has a name. */
  readonly #uncounted: { direction: "sent" | "received"; bytes: number }[] = [];

  constructor(link: Link, counters: Counters, limits: WireLimits, schemas: ControlSchemas, events: ChannelEvents) {
    this.link = link;
    this.#counters = counters;
    this.#limits = limits;
    this.#schemas = schemas;
    this.#events = events;
    this.silenceLimitMs = link.loopback ? limits.silentLoopbackMs : limits.silentMs;
  }

  /** Starts the delivery of what arrives. */
  start(): void {
    this.link.start({
      frame: (bytes) => this.#receive(bytes),
      broken: (kind, fault) => {
        if (this.#ended) return;
        this.#events.fault(
          kind === "oversized"
            ? new OversizedError(this.#peer, this.#tooLong(`more (${fault})`))
            : new FrameError(this.#peer, fault),
        );
      },
      closed: (reason) => {
        if (this.#ended) return;
        this.#ended = true;
        this.#events.closed(this.#assembling ? `${reason}, in the middle of a tensor` : reason);
      },
    });
  }

  /** Names the peer, once its hello was accepted. */
  name(peer: string): void {
    this.#peer = peer;
    for (const { direction, bytes } of this.#uncounted.splice(0)) this.#counters.countControl(direction, peer, bytes);
  }

  /**
   * Sends a tensor; it must not change until the promise resolves, which is when the link takes more.
   * Throws OversizedError, SendBufferFullError, Float16RangeError.
   */
  sendTensor(key: MessageKey, round: number, tensor: WireTensor, floats: WireWord): Promise<void> {
    const { data, shape } = tensor;
    const word = wordOnWire(data, floats);
    const totalBytes = data.length * frameWordBytes(word);
    if (totalBytes > this.#limits.maxTensorBytes) {
      const bound = `at most ${this.#limits.maxTensorBytes} bytes (maxTensorBytes)`;
      throw new OversizedError(null, `tensor ${key.role} to ${this.#peer}: expected ${bound}, got ${totalBytes}`);
    }
    if (word === "float16") this.#checkFloat16(key, tensor);
    const header: FrameHeader = {
      kind: "tensor",
      word,
      role: key.role,
      session: key.session,
      layer: key.layer,
      part: key.part ?? 0,
      step: key.step,
      round,
      rows: shape[0],
      columns: shape[1],
      sequence: 0,
      payloadBytes: totalBytes,
      offsetBytes: 0,
      totalBytes,
    };
    if (this.#sending === null && totalBytes <= this.#limits.chunkBytes) {
      this.#sendChunk(header, tensor);
      return this.#accepting();
    }
    const sending = (this.#sending ?? NOTHING)
      .then(() => this.#sendChunks(header, tensor))
      .finally(() => {
        if (this.#sending === sending) this.#sending = null;
      });
    this.#sending = sending;
    return sending;
  }

  /** Before the first chunk leaves: a value that became infinite on the way would be found by whoever computes with it, far from here. */
  #checkFloat16({ role, layer, step }: MessageKey, { data }: WireTensor): void {
    if (beyondFloat16(data) < 0) return;
    const where = layer < 0 ? "" : `, layer ${layer}`;
    throw new Float16RangeError(
      `message ${role} to ${this.#peer}${where}, step ${step}: expected values within ${MAX_FLOAT16}, the largest of float16, got one beyond; use --wire float32`,
    );
  }

  /** Sends a serialized control message; it passes between the chunks of a tensor. */
  sendControl(json: Uint8Array): Promise<void> {
    const frame = this.#plainFrame("control", json.byteLength);
    frame.set(json, HEADER_BYTES);
    const bytes = frame.byteLength + webSocketHeaderBytes(frame.byteLength, this.link.masked);
    this.#countControl("sent", bytes);
    this.#write(frame);
    return this.#accepting();
  }

  /** Sends a control message without waiting; a link too full to be told ends at once, which says enough. */
  tell(json: Uint8Array): void {
    try {
      void this.sendControl(json);
    } catch (error) {
      this.terminate(error as Error);
    }
  }

  /** Lets `elapsedMs` pass: sends a heartbeat where we were idle, and says whether the peer was silent for too long. */
  fellSilent(elapsedMs: number): boolean {
    this.#idleMs = this.#spoke ? 0 : this.#idleMs + elapsedMs;
    this.#spoke = false;
    // Bytes that still wait to be sent will say that we live.
    if (this.#idleMs >= this.silenceLimitMs / 5 && this.link.unsentBytes === 0) this.#sendHeartbeat();
    this.#silentMs = this.#heard || this.#paused ? 0 : this.#silentMs + elapsedMs;
    this.#heard = false;
    return this.#silentMs >= this.silenceLimitMs;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.link.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.link.resume();
  }

  /** Closes in good order; nothing more is delivered. A tensor on its way out rejects with `reason`. */
  close(reason: Error): Promise<void> {
    this.#end(reason);
    return this.link.close(this.#limits.closeMs);
  }

  terminate(reason: Error): void {
    this.#end(reason);
    this.link.terminate();
  }

  #end(reason: Error): void {
    this.#ended = true;
    this.#endReason ??= reason;
    this.#assembling = null;
  }

  #sendHeartbeat(): void {
    const frame = this.#plainFrame("heartbeat", 0);
    const bytes = frame.byteLength + webSocketHeaderBytes(frame.byteLength, this.link.masked);
    if (this.#peer !== null) this.#counters.countHeartbeat("sent", this.#peer, bytes);
    this.#write(frame);
  }

  async #sendChunks(header: FrameHeader, tensor: WireTensor): Promise<void> {
    const { chunkBytes, highWaterBytes } = this.#limits;
    for (let offsetBytes = 0; offsetBytes === 0 || offsetBytes < header.totalBytes; offsetBytes += chunkBytes) {
      await this.link.drained(highWaterBytes);
      if (this.#ended)
        throw this.#endReason ?? new LinkClosedError(this.#peer, `link to ${this.#peer}: expected it open, got closed`);
      const payloadBytes = Math.min(chunkBytes, header.totalBytes - offsetBytes);
      this.#sendChunk({ ...header, offsetBytes, payloadBytes }, tensor);
    }
    await this.link.drained(highWaterBytes);
  }

  #sendChunk(header: FrameHeader, tensor: WireTensor): void {
    header.sequence = this.#sendSequence;
    this.#sendSequence = (this.#sendSequence + 1) >>> 0;
    const length = HEADER_BYTES + header.payloadBytes;
    const frame = takeFrame(length);
    encodeHeader(header, frame);
    packPayload(tensor.data, header.word, frame, header.offsetBytes, header.payloadBytes);
    this.#countTensor("sent", header, length);
    this.#write(frame);
  }

  #plainFrame(kind: "control" | "heartbeat", payloadBytes: number): Uint8Array {
    const frame = takeFrame(HEADER_BYTES + payloadBytes);
    const sequence = this.#sendSequence;
    this.#sendSequence = (this.#sendSequence + 1) >>> 0;
    const zeros = {
      word: "none",
      role: null,
      session: 0,
      layer: 0,
      part: 0,
      step: 0,
      round: 0,
      rows: 0,
      columns: 0,
      offsetBytes: 0,
    } as const;
    encodeHeader({ kind, ...zeros, sequence, payloadBytes, totalBytes: payloadBytes }, frame);
    return frame;
  }

  #write(frame: Uint8Array): void {
    this.#spoke = true;
    if (this.link.send(frame)) spare = frame.buffer as ArrayBuffer;
    if (this.link.unsentBytes > this.#limits.maxUnsentBytes) {
      const bound = `at most ${this.#limits.maxUnsentBytes} unsent bytes (maxUnsentBytes)`;
      const advice = "await each send, and see whether the peer reads";
      throw new SendBufferFullError(
        this.#peer,
        `link to ${this.#peer}: expected ${bound}, got ${this.link.unsentBytes}; ${advice}`,
      );
    }
  }

  #accepting(): Promise<void> {
    return this.link.unsentBytes < this.#limits.highWaterBytes
      ? NOTHING
      : this.link.drained(this.#limits.highWaterBytes);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#heard = true;
    try {
      const most = HEADER_BYTES + Math.max(this.#limits.chunkBytes, this.#limits.maxControlBytes);
      if (bytes.byteLength > most) throw new OversizedError(this.#peer, this.#tooLong(`${bytes.byteLength}`));
      const header = decodeHeader(bytes, this.#peer, this.#limits);
      if (header.sequence !== this.#receiveSequence) {
        const expected = this.#receiveSequence;
        const behind = (expected - header.sequence) >>> 0 < 2 ** 31;
        const fault = behind ? "a frame came twice" : "a frame is missing";
        throw new SequenceError(
          this.#peer,
          `frame from ${this.#peer}: expected sequence ${expected}, got ${header.sequence}: ${fault}`,
        );
      }
      this.#receiveSequence = (this.#receiveSequence + 1) >>> 0;
      if (header.kind === "tensor") this.#receiveTensor(header, bytes);
      else {
        const total = bytes.byteLength + webSocketHeaderBytes(bytes.byteLength, !this.link.masked);
        if (header.kind === "control") {
          this.#countControl("received", total);
          this.#events.control(parseControl(bytes.subarray(HEADER_BYTES), this.#schemas, this.#peer));
        } else if (this.#peer !== null) this.#counters.countHeartbeat("received", this.#peer, total);
      }
    } catch (error) {
      // Whatever a handler threw is as final as a broken frame: the stream cannot go on past it.
      this.#events.fault(error instanceof WireError ? error : handlerFault(error));
    }
  }

  #tooLong(got: string): string {
    const { chunkBytes, maxControlBytes } = this.#limits;
    return `frame from ${this.#peer}: expected at most ${chunkBytes} bytes (chunkBytes) or ${maxControlBytes} (maxControlBytes), got ${got}`;
  }

  #receiveTensor(header: FrameHeader, frame: Uint8Array): void {
    if (this.#peer === null) throw new FrameError(null, "order: expected hello first, got a tensor");
    this.#countTensor("received", header, frame.byteLength);
    const payload = frame.subarray(HEADER_BYTES);
    const begun = this.#assembling;
    if (begun === null) {
      if (header.offsetBytes !== 0) {
        throw new FrameError(
          this.#peer,
          `offsetBytes: expected a tensor's first chunk, got offset ${header.offsetBytes}`,
        );
      }
      if (header.payloadBytes === header.totalBytes) {
        this.#events.tensor(header, alignPayload(payload, header.word));
        return;
      }
      const bytes = Buffer.allocUnsafeSlow(header.totalBytes);
      bytes.set(payload);
      this.#assembling = { header, bytes };
      return;
    }
    const first = begun.header;
    for (const field of ["session", "layer", "part", "step", "role", "word", "rows", "columns", "round"] as const) {
      if (header[field] !== first[field]) {
        throw new FrameError(
          this.#peer,
          `chunk: expected ${field} ${first[field]} as in the first chunk, got ${header[field]}`,
        );
      }
    }
    // first.payloadBytes counts what has arrived.
    if (header.offsetBytes !== first.payloadBytes) {
      throw new FrameError(this.#peer, `chunk: expected offset ${first.payloadBytes}, got ${header.offsetBytes}`);
    }
    begun.bytes.set(payload, header.offsetBytes);
    first.payloadBytes += header.payloadBytes;
    if (first.payloadBytes < first.totalBytes) return;
    this.#assembling = null;
    this.#events.tensor(first, begun.bytes);
  }

  #countTensor(direction: "sent" | "received", header: FrameHeader, length: number): void {
    const { role, session, layer, round, payloadBytes, offsetBytes } = header;
    if (role === null || this.#peer === null) return;
    const masked = direction === "sent" ? this.link.masked : !this.link.masked;
    const framing = HEADER_BYTES + webSocketHeaderBytes(length, masked);
    this.#counters.countTensor(
      direction,
      this.#peer,
      { session, layer, role, round },
      payloadBytes,
      framing,
      offsetBytes === 0,
    );
  }

  #countControl(direction: "sent" | "received", bytes: number): void {
    if (this.#peer === null) this.#uncounted.push({ direction, bytes });
    else this.#counters.countControl(direction, this.#peer, bytes);
  }
}

function handlerFault(cause: unknown): WireError {
  const fault = new WireError("WIRE_HANDLER", `handler of a message: expected it to return, got ${String(cause)}`);
  fault.cause = cause;
  return fault;
}
