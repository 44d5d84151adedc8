/** A recorded view, read back from its files: what a party, or several that put theirs together, received and computed in the clear. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { readSafetensorsFile, type TensorData } from "../../../layers/weights/safetensors-file.ts";
import { parsePartyName } from "../../../protocols/cascade/party-name.ts";
import { viewName, type ViewEntry, type ViewIndex } from "../../../protocols/fusion/record/view-recorder.ts";

/** One tensor of a view, and who saw it. */
export interface ViewTensor extends ViewEntry {
  readonly party: string;
  /** Row-major, of `shape`. */
  readonly data: TensorData;
}

/** Partial results of some query rows over one key shard, as an AttnNode sent them. */
export interface PartialResult {
  readonly layer: number;
  readonly step: number;
  /** Query and key shard of the AttnNode that sent it. */
  readonly j: number;
  readonly k: number;
  /** Positions of the query rows. */
  readonly positions: readonly number[];
  /** [rows, heads·headDim] */
  readonly u: Float32Array | Float64Array;
  /** [rows, heads] */
  readonly m: Float32Array | Float64Array;
  /** [rows, heads] */
  readonly e: Float32Array | Float64Array;
}

export class RecordedView {
  /** Who saw it: one party, or a coalition. */
  readonly parties: readonly string[];
  readonly tensors: readonly ViewTensor[];

  constructor(parties: readonly string[], tensors: readonly ViewTensor[]) {
    this.parties = parties;
    this.tensors = tensors;
  }

  /** Reads the two files of a party's view of a session. Throws ModelFileError, or Error where a file isn't there. */
  static async read(folder: string, party: string, session: number): Promise<RecordedView> {
    const base = path.join(folder, viewName(party, session));
    const index = JSON.parse(await readFile(`${base}.json`, "utf8")) as ViewIndex;
    const stored = await readSafetensorsFile(`${base}.safetensors`);
    const tensors = index.entries.map((entry) => ({ ...entry, party, data: stored.get(entry.tensor)!.data }));
    return new RecordedView([party], tensors);
  }

  /** What several parties know when they put their views together. */
  static union(views: readonly RecordedView[]): RecordedView {
    return new RecordedView(
      [...new Set(views.flatMap(({ parties }) => parties))],
      views.flatMap(({ tensors }) => tensors),
    );
  }

  /** The same view with other data: controls replace what was seen by noise. */
  map(change: (tensor: ViewTensor) => TensorData): RecordedView {
    return new RecordedView(
      this.parties,
      this.tensors.map((tensor) => ({ ...tensor, data: change(tensor) })),
    );
  }

  /** The same view without the tensors that `keep` refuses. */
  filter(keep: (tensor: ViewTensor) => boolean): RecordedView {
    return new RecordedView(this.parties, this.tensors.filter(keep));
  }

  /** Token ids that the parties were given, by position. */
  ids(): Map<number, number> {
    const known = new Map<number, number>();
    for (const { kind, source, positions, data } of this.tensors)
      if (kind === "ids" && source === "received")
        positions?.forEach((position, row) => known.set(position, Number(data[row])));
    return known;
  }

  /**
   * Rows by position: hidden rows before a layer (`row`; the layer count: after the last one), or its `q`, `k`, `v` rows, whether the
   * party computed or received them. [width] each.
   */
  rows(kind: "row" | "q" | "k" | "v" | "attended", layer: number): Map<number, Float32Array | Float64Array> {
    const rows = new Map<number, Float32Array | Float64Array>();
    for (const tensor of this.tensors) {
      if (tensor.layer !== layer || tensor.positions === null) continue;
      const half = tensor.kind === "kv" ? (kind === "k" ? 0 : kind === "v" ? 1 : -1) : tensor.kind === kind ? 0 : -1;
      if (half < 0) continue;
      const data = tensor.data as Float32Array | Float64Array;
      const width = tensor.shape[1];
      tensor.positions.forEach((position, at) => {
        const row = half * tensor.positions!.length + at; // a kv message: all k rows, then all v rows
        rows.set(position, data.subarray(row * width, (row + 1) * width));
      });
    }
    return rows;
  }

  /** The partial results that CompNodes of the view received in a layer, of all steps, ordered by step, j, k. */
  partials(layer: number, heads: number, headDim: number): PartialResult[] {
    const found: PartialResult[] = [];
    for (const { kind, source, peer, positions, data, ...entry } of this.tensors) {
      if (kind !== "partial" || source !== "received" || entry.layer !== layer || positions === null) continue;
      const { j, k } = parsePartyName(peer!, "attn");
      const words = data as Float32Array | Float64Array;
      const [mAt, eAt] = [positions.length * heads * headDim, positions.length * heads * (headDim + 1)];
      found.push({
        layer,
        step: entry.step,
        j,
        k,
        positions,
        u: words.subarray(0, mAt),
        m: words.subarray(mAt, eAt),
        e: words.subarray(eAt),
      });
    }
    return found.sort((a, b) => a.step - b.step || a.j - b.j || a.k - b.k);
  }
}
