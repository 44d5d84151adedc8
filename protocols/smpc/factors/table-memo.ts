/** Tables that are made once and kept for the process, the latest used ones up to a number of bytes. */
export class TableMemo<T extends ArrayBufferView> {
  readonly #mostBytes: number;
  readonly #tables = new Map<string, T>();
  #bytes = 0;

  /** `mostBytes`: of all tables together; a larger one is kept alone. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** The table of this key, made where it isn't kept. Equal keys are equal tables. */
  get(key: string, make: () => T): T {
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = make();
      this.#bytes += table.byteLength;
    } else this.#tables.delete(key);
    this.#tables.set(key, table); // in the order of use
    for (const [oldest, { byteLength }] of this.#tables) {
      if (this.#bytes <= this.#mostBytes || oldest === key) break;
      this.#tables.delete(oldest);
      this.#bytes -= byteLength;
    }
    return table;
  }

  /** Of the tables that are kept. */
  get bytes(): number {
    return this.#bytes;
  }
}
