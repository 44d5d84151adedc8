/** Byte-pair encoding, as tokenizer.json has it. */
export interface BytePairPart {
  readonly type: "BPE";
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs of tokens whose join is one, the first merged first. */
  readonly merges: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  /** Neighbours that are unknown give one token. */
  readonly fuse_unk?: boolean | null;
  /** A character without a token gives the tokens of its bytes, <0x41>. */
  readonly byte_fallback?: boolean | null;
  /** A piece that is a token as it is isn't merged. */
  readonly ignore_merges?: boolean | null;
}

interface Merge {
  readonly rank: number;
  readonly at: number;
  readonly joined: number;
}

/** Above any id (tokenizer-schema.ts), so that a pair of ids is one number. */
const PAIR_BASE = 2 ** 23;
const NONE = -1;

/** Merges the neighbours of a piece, those of the lowest rank first and of these the leftmost, as tokenizers' BPE. */
export class BytePairs {
  readonly #part: BytePairPart;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #merges = new Map<number, { readonly rank: number; readonly joined: number }>();
  readonly #unknown: number | undefined;
  readonly #encoder = new TextEncoder();

  /** @param part checked: every token that it names is of its vocabulary. */
  constructor(part: BytePairPart) {
    this.#part = part;
    this.#ids = new Map(Object.entries(part.vocab));
    this.#unknown = typeof part.unk_token === "string" ? this.#ids.get(part.unk_token) : undefined;
    part.merges.forEach((merge, rank) => {
      const [left, right] = typeof merge === "string" ? merge.split(" ") : merge;
      const pair = this.#ids.get(left)! * PAIR_BASE + this.#ids.get(right)!;
      this.#merges.set(pair, { rank, joined: this.#ids.get(left + right)! });
    });
  }

  /** Token ids of a piece that isn't empty. */
  encode(piece: string): number[] {
    const whole = this.#part.ignore_merges ? this.#ids.get(piece) : undefined;
    return whole === undefined ? this.#merge(this.#symbols(piece)) : [whole];
  }

  #symbols(piece: string): number[] {
    const symbols: number[] = [];
    // As the original: tokens of bytes don't end a run of unknown characters, which is given out when a known one comes.
    let unknown = 0;
    const giveUnknown = (): void => {
      for (; unknown > 0; unknown--) symbols.push(this.#unknown!);
    };
    for (const character of piece) {
      const id = this.#ids.get(character);
      const bytes = id === undefined && this.#part.byte_fallback ? this.#bytes(character) : undefined;
      if (id !== undefined) {
        giveUnknown();
        symbols.push(id);
      } else if (bytes) symbols.push(...bytes);
      else if (this.#unknown !== undefined) {
        if (!this.#part.fuse_unk) giveUnknown();
        unknown = 1;
      }
    }
    giveUnknown();
    return symbols;
  }

  #bytes(character: string): number[] | undefined {
    const ids: number[] = [];
    for (const byte of this.#encoder.encode(character)) {
      const id = this.#ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  #merge(symbols: number[]): number[] {
    const next = symbols.map((_, at) => (at + 1 < symbols.length ? at + 1 : NONE));
    const previous = symbols.map((_, at) => at - 1);
    const queue = new MergeQueue();
    const offer = (left: number, right: number): void => {
      if (left === NONE || right === NONE) return;
      const merge = this.#merges.get(symbols[left] * PAIR_BASE + symbols[right]);
      if (merge) queue.push({ rank: merge.rank, joined: merge.joined, at: left });
    };
    for (let at = 1; at < symbols.length; at++) offer(at - 1, at);
    for (let top = queue.pop(); top; top = queue.pop()) {
      const { at } = top;
      const right = next[at];
      if (symbols[at] === NONE || right === NONE) continue;
      // Out of date where the pair there isn't one that gives this token any more.
      if (this.#merges.get(symbols[at] * PAIR_BASE + symbols[right])?.joined !== top.joined) continue;
      symbols[at] = top.joined;
      symbols[right] = NONE;
      next[at] = next[right];
      if (next[at] !== NONE) previous[next[at]] = at;
      offer(previous[at], at);
      offer(at, next[at]);
    }
    return symbols.filter((symbol) => symbol !== NONE);
  }
}

/** The merge of the lowest rank first, of these the leftmost: a heap. */
class MergeQueue {
  readonly #heap: Merge[] = [];

  push(merge: Merge): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(merge, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = merge;
  }

  pop(): Merge | undefined {
    const heap = this.#heap;
    const [top] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

const isBefore = (a: Merge, b: Merge): boolean => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
