import { CONTROL_SCHEMAS, parseControl, serializeControl } from "../../../protocols/wire/control.ts";
import type { ControlMessage } from "../../../protocols/wire/endpoint.ts";
import { decodeHeader, encodeHeader, type FrameHeader, HEADER_BYTES } from "../../../protocols/wire/frame.ts";
import { helloOf } from "../../../protocols/wire/handshake.ts";
import type { WireLimits } from "../../../protocols/wire/limits.ts";
import type { Link } from "../../../protocols/wire/transport.ts";

const PLAIN = {
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

/** A peer that says what a test tells it to, byte by byte: a link with a sequence number and nothing else. */
export class RawPeer {
  readonly link: Link;
  readonly name: string;
  /** Control messages that arrived, in order. */
  readonly heard: ControlMessage[] = [];
  /** Why the link ended; null while it has not. */
  ended: string | null = null;
  sequence = 0;
  readonly #limits: WireLimits;
  #watchers: { seen: () => boolean; resolve: () => void }[] = [];

  constructor(link: Link, name: string, limits: WireLimits) {
    this.link = link;
    this.name = name;
    this.#limits = limits;
    link.start({
      frame: (bytes) => {
        const header = decodeHeader(bytes, "endpoint", limits);
        if (header.kind === "control")
          this.heard.push(parseControl(bytes.subarray(HEADER_BYTES), CONTROL_SCHEMAS, "endpoint"));
        this.#look();
      },
      broken: (_kind, fault) => {
        this.ended = fault;
        this.#look();
      },
      closed: (reason) => {
        this.ended = reason;
        this.#look();
      },
    });
  }

  /** Says a good hello to `to`, with `changes`. */
  hello(to: string, changes: Record<string, unknown> = {}): void {
    this.control({ ...helloOf(this.name, to, "", {}, this.#limits), ...changes });
  }

  control(message: ControlMessage | Record<string, unknown>): void {
    const valid = typeof message.type === "string" && Object.hasOwn(CONTROL_SCHEMAS, message.type);
    const json = valid
      ? serializeControl(message as ControlMessage, CONTROL_SCHEMAS, this.#limits.maxControlBytes)
      : new TextEncoder().encode(JSON.stringify(message));
    this.controlBytes(json);
  }

  controlBytes(json: Uint8Array): void {
    this.frame(
      { ...PLAIN, kind: "control", sequence: this.sequence, payloadBytes: json.length, totalBytes: json.length },
      json,
    );
  }

  /** A q tensor [1, columns] float32 of session 1, with `changes` to its header. */
  tensor(columns: number, changes: Partial<FrameHeader> = {}, payloadBytes: number = columns * 4): void {
    const header: FrameHeader = {
      kind: "tensor",
      word: "float32",
      role: "q",
      session: 1,
      layer: 0,
      part: 0,
      step: 0,
      round: 1,
      rows: 1,
      columns,
      sequence: this.sequence,
      payloadBytes,
      offsetBytes: 0,
      totalBytes: columns * 4,
      ...changes,
    };
    this.frame(header, new Uint8Array(payloadBytes));
  }

  frame(header: FrameHeader, payload: Uint8Array): void {
    const bytes = new Uint8Array(HEADER_BYTES + payload.length);
    encodeHeader(header, bytes);
    bytes.set(payload, HEADER_BYTES);
    this.bytes(bytes);
  }

  bytes(bytes: Uint8Array): void {
    this.sequence++;
    this.link.send(bytes);
  }

  /** Resolves when `seen` holds, which is asked whenever something arrives. */
  async until(seen: () => boolean): Promise<void> {
    if (seen()) return;
    await new Promise<void>((resolve) => this.#watchers.push({ seen, resolve }));
  }

  #look(): void {
    this.#watchers = this.#watchers.filter(({ seen, resolve }) => {
      if (!seen()) return true;
      resolve();
      return false;
    });
  }
}
