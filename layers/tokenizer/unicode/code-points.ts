/** One more than the last code point. */
const END = 0x110000;

/**
 * A set of code points: edges in rising order, at each of which membership changes, beginning outside. Of a union of thousands of
 * ranges (letters, say) as quick to ask as a search among them.
 */
export class CodePoints {
  readonly #edges: readonly number[];

  private constructor(edges: readonly number[]) {
    this.#edges = edges;
  }

  /** Those of inclusive ranges [first, last], in any order. */
  static ranges(ranges: readonly (readonly [first: number, last: number])[]): CodePoints {
    const edges: number[] = [];
    for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
      const end = edges.at(-1);
      if (end === undefined || first > end) edges.push(first, last + 1);
      else if (last >= end) edges[edges.length - 1] = last + 1;
    }
    return new CodePoints(edges);
  }

  /** Those of the characters of a text. */
  static of(text: string): CodePoints {
    return CodePoints.ranges(Array.from(text, (character) => [character.codePointAt(0)!, character.codePointAt(0)!]));
  }

  /** Of a table of tables.ts: numbers of base 36, in turn how many code points are outside and how many inside. */
  static parse(table: string): CodePoints {
    let at = 0;
    return new CodePoints(table.split(" ").map((step) => (at += parseInt(step, 36))));
  }

  has(codePoint: number): boolean {
    let [low, high] = [0, this.#edges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#edges[middle] <= codePoint) low = middle + 1;
      else high = middle;
    }
    return low % 2 === 1;
  }

  or(...others: readonly CodePoints[]): CodePoints {
    return CodePoints.ranges([this, ...others].flatMap((set) => set.#ranges()));
  }

  and(other: CodePoints): CodePoints {
    return this.not().or(other.not()).not();
  }

  not(): CodePoints {
    const edges = this.#edges;
    const inside = edges[0] === 0 ? edges.slice(1) : [0, ...edges];
    return new CodePoints(inside.at(-1) === END ? inside.slice(0, -1) : [...inside, END]);
  }

  get isEmpty(): boolean {
    return this.#edges.length === 0;
  }

  /** As a class of a RegExp with flag u. */
  get source(): string {
    const escaped = (codePoint: number): string => `\\u{${codePoint.toString(16)}}`;
    return `[${this.#ranges()
      .map(([first, last]) => (first === last ? escaped(first) : `${escaped(first)}-${escaped(last)}`))
      .join("")}]`;
  }

  #ranges(): [number, number][] {
    const ranges: [number, number][] = [];
    for (let i = 0; i < this.#edges.length; i += 2) ranges.push([this.#edges[i], this.#edges[i + 1] - 1]);
    return ranges;
  }
}
