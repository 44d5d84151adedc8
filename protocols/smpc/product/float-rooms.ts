/** Arrays that are used again: fresh memory for large ones keeps the garbage collector busy. */
export class FloatRooms {
  readonly #free: Float64Array[] = [];
  readonly #most: number;

  /** Keeps `most` arrays at a time. */
  constructor(most: number) {
    this.#most = most;
  }

  /** An array of `length` numbers, whatever they are, for whoever took it until it is given back. */
  take(length: number): Float64Array {
    const at = this.#free.findIndex((room) => room.length === length);
    return at < 0 ? new Float64Array(length) : this.#free.splice(at, 1)[0];
  }

  /** Gives arrays back that nobody reads any more. */
  give(...rooms: Float64Array[]): void {
    this.#free.push(...rooms);
    this.#free.splice(0, this.#free.length - this.#most);
  }
}
