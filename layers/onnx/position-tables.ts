import type { Rope } from "../model-spec.ts";
import type { AttentionSpec } from "../program.ts";
import { Tensor as OrtTensor } from "./runtime.ts";

/** Recent results by the positions they were made for: every layer of a pass asks for the same ones. */
class PositionCache<T> {
  readonly #entries: { key: string; positions: readonly (readonly number[])[]; value: T }[] = [];

  get(key: string, positions: readonly (readonly number[])[], make: () => T): T {
    const at = this.#entries.findIndex(
      (entry) => entry.key === key && entry.positions.every((list, i) => isEqual(list, positions[i])),
    );
    const entry =
      at < 0 ? { key, positions: positions.map((list) => [...list]), value: make() } : this.#entries.splice(at, 1)[0];
    this.#entries.unshift(entry);
    this.#entries.length = Math.min(this.#entries.length, RECENT);
    return entry.value;
  }
}

/** Prompt and step of a few sessions at once, for sliding and full layers. */
const RECENT = 8;

function isEqual(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export interface RotaryTables {
  /** [rows, headDim / 2] */
  readonly cos: OrtTensor;
  readonly sin: OrtTensor;
}

/** Cosines and sines of the rotary angles of the rows, computed in float64 and then rounded. */
export class RotaryTableCache {
  readonly #frequencies: readonly number[];
  readonly #cache = new PositionCache<RotaryTables>();

  constructor(rope: Rope) {
    this.#frequencies = rope.inverseFrequencies;
  }

  /** positions [rows] -> tables [rows, headDim / 2] */
  get(positions: readonly number[]): RotaryTables {
    return this.#cache.get("", [positions], () => {
      const frequencies = this.#frequencies;
      const table = (of: (angle: number) => number): OrtTensor => {
        const data = Float32Array.from({ length: positions.length * frequencies.length }, (_, i) =>
          of(positions[Math.floor(i / frequencies.length)] * frequencies[i % frequencies.length]),
        );
        return new OrtTensor("float32", data, [positions.length, frequencies.length]);
      };
      return { cos: table(Math.cos), sin: table(Math.sin) };
    });
  }
}

/** Masks to add to attention logits: 0 where the query sees the key, else -Infinity. */
export class MaskCache {
  readonly #cache = new PositionCache<OrtTensor>();

  /** [queries, keys]; [1, 1] where every query sees every key */
  get({ causal, window }: AttentionSpec, queries: readonly number[], keys: readonly number[]): OrtTensor {
    return this.#cache.get(`${causal} ${window}`, [queries, keys], () => {
      const mask = new Float32Array(queries.length * keys.length);
      let hidden = 0;
      for (let r = 0, at = 0; r < queries.length; r++) {
        const last = causal ? queries[r] : Infinity;
        const first = window === null ? -Infinity : queries[r] - window + 1;
        for (let s = 0; s < keys.length; s++, at++) {
          if (keys[s] >= first && keys[s] <= last) continue;
          mask[at] = -Infinity;
          hidden++;
        }
      }
      return hidden === 0
        ? new OrtTensor("float32", new Float32Array(1), [1, 1])
        : new OrtTensor("float32", mask, [queries.length, keys.length]);
    });
  }
}
