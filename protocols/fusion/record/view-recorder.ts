/**
 * Views: every tensor that a party received or computed in the clear, kept for research. A view is what an attacker has who is that
 * party. Off by default: a node that records is a node that can be read.
 *
 * A party's view of a session is two files: NAME.safetensors with tensors "0", "1", ... and NAME.json with an entry a tensor.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../../layers/file-error.ts";
import type { Tensor } from "../../../layers/tensor.ts";
import { createSafetensorsWriter, type SafetensorsWriter } from "../../../layers/weights/safetensors-writer.ts";
import type { Session, ComputedKind, Witness } from "../../cascade/session.ts";
import { messagePositions } from "../../cascade/exposure.ts";
import type { MessageKey, WireTensor } from "../../wire/endpoint.ts";

/** Views of all parties on one machine are the prompt: they are this user's alone. */
const OWN_FILE = 0o600;
const OWN_FOLDER = 0o700;

/** One tensor of a view. */
export interface ViewEntry {
  /** Name of the tensor in the safetensors file. */
  readonly tensor: string;
  readonly source: "received" | "computed";
  /** Who sent it; null where it was computed. */
  readonly peer: string | null;
  /** The message's role, or what was computed. */
  readonly kind: string;
  readonly session: number;
  readonly layer: number;
  readonly step: number;
  /** Position of each row (of each k row and again of each v row in a kv message); null where the schedule knows no such message. */
  readonly positions: readonly number[] | null;
  readonly shape: readonly number[];
}

/** The JSON index of a view. */
export interface ViewIndex {
  readonly party: string;
  readonly session: number;
  readonly entries: readonly ViewEntry[];
}

export class ViewRecorder implements Witness {
  readonly #folder: string;
  readonly #party: string;
  readonly #session: Session;
  readonly #entries: ViewEntry[] = [];
  #writer: SafetensorsWriter | null = null;
  /** Tensors are written one after the other, in the order in which they came. */
  #written: Promise<SafetensorsWriter>;

  constructor(folder: string, party: string, session: Session) {
    this.#folder = folder;
    this.#party = party;
    this.#session = session;
    this.#written = this.#create();
    this.#written.catch(() => {}); // write() reports it
  }

  /** Keeps a tensor that arrived at the transport, whatever the protocol makes of it. */
  received(peer: string, key: MessageKey, tensor: WireTensor): void {
    const positions = messagePositions(this.#session.schedule, this.#party, peer, key);
    this.#keep({ source: "received", peer, kind: key.role, layer: key.layer, step: key.step, positions }, tensor);
  }

  computed(
    kind: ComputedKind,
    layer: number,
    step: number,
    positions: readonly number[],
    tensor: Tensor | WireTensor,
  ): void {
    this.#keep({ source: "computed", peer: null, kind, layer, step, positions }, tensor);
  }

  /** Resolves once the folder and the file are there. Throws Error naming the folder where it can't be written. */
  async created(): Promise<void> {
    try {
      await this.#written;
    } catch (error) {
      throw this.#refused(error);
    }
  }

  /** Completes both files. Throws Error naming the folder where a tensor could not be written; then neither file is left. */
  async write(): Promise<void> {
    try {
      await this.#writeBoth();
    } catch (error) {
      await this.#writer?.abandon();
      for (const ending of ["safetensors", "json"]) await rm(`${this.#base}.${ending}`, { force: true });
      throw this.#refused(error);
    }
  }

  async #writeBoth(): Promise<void> {
    await (await this.#written).close();
    const index: ViewIndex = { party: this.#party, session: this.#session.number, entries: this.#entries };
    await writeFile(`${this.#base}.json`, JSON.stringify(index), { mode: OWN_FILE });
  }

  get #base(): string {
    return path.join(this.#folder, viewName(this.#party, this.#session.number));
  }

  #refused(error: unknown): Error {
    return fileError(`views ${this.#folder}`, "a folder that can be written", error);
  }

  async #create(): Promise<SafetensorsWriter> {
    await mkdir(this.#folder, { recursive: true, mode: OWN_FOLDER });
    this.#writer = await createSafetensorsWriter(`${this.#base}.safetensors`, {}, OWN_FILE);
    return this.#writer;
  }

  #keep(entry: Omit<ViewEntry, "tensor" | "session" | "shape">, tensor: Tensor | WireTensor): void {
    const name = String(this.#entries.length);
    this.#entries.push({ tensor: name, session: this.#session.number, shape: tensor.shape, ...entry });
    const data = tensor.data.slice(); // the party goes on working in the original
    this.#written = this.#written.then(async (writer) => {
      await writer.append({ name, shape: tensor.shape, data });
      return writer;
    });
    this.#written.catch(() => {}); // write() reports it
  }
}

/** File name of a view, without ending: "SESSION-comp.0". */
export const viewName = (party: string, session: number): string => `${session}-${party}`;
