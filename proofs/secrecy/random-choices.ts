/**
 * All randomness of a plan, in place of generators: element i of every array stands for random choice `first` + i, whose bits are handed
 * out stream by stream. What executors compute element by element is so computed for every choice once.
 *
 * A stream is known by its seed and its purpose: whoever draws it (a party and the dealer) draws the same words, as with a seed. A dry run
 * of one element counts how many bits each stream takes.
 */
import { ring } from "../../shares/ring.ts";
import type { BatchStreams, WordStream } from "../../shares/stream-book.ts";
import type { Words } from "../../shares/words.ts";

/** What is wrong with how a stream is drawn, so that a test can see it found. */
export interface DrawFault {
  /** Seed and purpose of the stream that is drawn in place of one. */
  readonly key?: (seed: string, purpose: string) => readonly [seed: string, purpose: string];
  /** Bits that are drawn for a word of so many. */
  readonly bits?: (purpose: string, bits: number) => number;
}

/** A stream's words of one element: so many of so many bits, from bit `offset` of the choice on. */
export interface DrawnStream {
  readonly seed: string;
  readonly purpose: string;
  readonly bits: number;
  readonly words: number;
  readonly offset: number;
}

const keyOf = (seed: string, purpose: string): string => JSON.stringify([seed, purpose]);

/** Counts, on a run of one element, what is drawn; all words are 0. */
export class CountedChoices {
  readonly #fault: DrawFault;
  readonly #drawn = new Map<string, Omit<DrawnStream, "offset">>();
  /** By seed: the streams that are drawn with it. */
  readonly #keys = new Map<string, Set<string>>();

  constructor(fault: DrawFault = {}) {
    this.#fault = fault;
  }

  /** The streams of a seed, for one who has it. */
  streams(seed: string): BatchStreams {
    return faultyStreams(seed, this.#fault, (at, purpose, bits, words) => {
      const key = keyOf(at, purpose);
      const before = this.#drawn.get(key);
      if (before !== undefined && before.bits !== bits)
        throw new Error(`stream ${at} ${purpose}: expected words of ${before.bits} bits as elsewhere, got ${bits}`);
      this.#keys.set(seed, (this.#keys.get(seed) ?? new Set()).add(key));
      this.#drawn.set(key, { seed: at, purpose, bits, words: Math.max(words.to, before?.words ?? 0) });
      return new BigUint64Array(words.to - words.from);
    });
  }

  /** What each stream takes of a choice, in the order in which they were first drawn. */
  layout(): DrawnStream[] {
    let offset = 0;
    return [...this.#drawn.values()].map((each) => {
      const placed = { ...each, offset };
      offset += each.words * each.bits;
      return placed;
    });
  }

  /** The streams that whoever has one of these seeds can draw. */
  knownTo(seeds: ReadonlySet<string>): DrawnStream[] {
    const keys = new Set([...seeds].flatMap((seed) => [...(this.#keys.get(seed) ?? [])]));
    return this.layout().filter((stream) => keys.has(keyOf(stream.seed, stream.purpose)));
  }
}

/** Bits of all streams of a choice. */
export const choiceBits = (layout: readonly DrawnStream[]): number =>
  layout.reduce((sum, { words, bits }) => sum + words * bits, 0);

/** Choices `first` ... `first` + `count` - 1 of all 2^choiceBits. */
export class RandomChoices {
  readonly #layout: ReadonlyMap<string, DrawnStream>;
  readonly #first: number;
  readonly #count: number;
  readonly #fault: DrawFault;

  constructor(layout: readonly DrawnStream[], first: number, count: number, fault: DrawFault = {}) {
    this.#layout = new Map(layout.map((each) => [keyOf(each.seed, each.purpose), each]));
    this.#first = first;
    this.#count = count;
    this.#fault = fault;
  }

  /** The streams of a seed, for one who has it. Throws RangeError where more is drawn than in the run that counted. */
  streams(seed: string): BatchStreams {
    return faultyStreams(seed, this.#fault, (at, purpose, bits, { from, to }) => {
      const stream = this.#layout.get(keyOf(at, purpose));
      if (stream === undefined || stream.bits !== bits || to > stream.words * this.#count)
        throw new RangeError(
          `stream ${at} ${purpose}: expected ${stream?.words ?? 0} words of ${stream?.bits ?? 0} bits an element, got ${to} of ${bits} for ${this.#count}`,
        );
      return this.#words(stream, from, to, 1);
    });
  }

  /** Every element's word `slot` of a stream. */
  words(stream: DrawnStream, slot: number): Words {
    return this.#words(stream, slot, this.#count * stream.words, stream.words);
  }

  /** Of all elements' words one after the other, every `step`th from `from` to `to`. */
  #words({ offset, bits, words: each }: DrawnStream, from: number, to: number, step: number): Words {
    const out: Words = new BigUint64Array(Math.ceil((to - from) / step));
    const halves = new Uint32Array(out.buffer); // low halves first: a BigInt a word takes ten times as long
    const mask = 2 ** bits - 1;
    for (let i = from, at = 0; i < to; i += step, at += 2) {
      const element = Math.floor(i / each);
      halves[at] = ((this.#first + element) >>> (offset + (i - element * each) * bits)) & mask;
    }
    return out;
  }
}

/** Draws words [from, to) of a stream, of all elements one after the other. */
type Draw = (
  seed: string,
  purpose: string,
  bits: number,
  words: { readonly from: number; readonly to: number },
) => Words;

function faultyStreams(seed: string, { key, bits: drawnBits }: DrawFault, draw: Draw): BatchStreams {
  return {
    stream(purpose): WordStream {
      let at = 0;
      const [from, of] = key?.(seed, purpose) ?? [seed, purpose];
      const next = (count: number, bits: number): Words => {
        const drawn = drawnBits?.(purpose, bits) ?? bits;
        if (!(drawn >= 0)) throw new RangeError(`stream ${seed} ${purpose}: expected 0 bits or more, got ${drawn}`);
        const words = draw(from, of, drawn, { from: at, to: at + count });
        at += count;
        return words;
      };
      return {
        fillWords: (out, bits) => out.set(next(out.length, bits)),
        packedWords: (count, bits) => ({ bytes: ring.pack(next(count, bits), bits), bitOffset: 0 }),
      };
    },
  };
}
