/** What is made once from its key and kept for the process, the latest used up to a bound: for pure functions that take a while. */
export class BoundedMemo<T> {
  readonly #most: number;
  readonly #weigh: (value: T) => number;
  readonly #kept = new Map<string, T>();
  #weight = 0;

  /** `most`: of all values together, as `weigh` weighs them (by default each is 1). A heavier one is kept alone. */
  constructor(most: number, weigh: (value: T) => number = () => 1) {
    this.#most = most;
    this.#weigh = weigh;
  }

  /** The value of this key, made where it isn't kept. Equal keys are equal values. */
  get(key: string, make: () => T): T {
    let value = this.#kept.get(key);
    if (value === undefined) {
      value = make();
      this.#weight += this.#weigh(value);
    } else this.#kept.delete(key);
    this.#kept.set(key, value); // in the order of use
    for (const [oldest, dropped] of this.#kept) {
      if (this.#weight <= this.#most || oldest === key) break;
      this.#kept.delete(oldest);
      this.#weight -= this.#weigh(dropped);
    }
    return value;
  }

  has(key: string): boolean {
    return this.#kept.has(key);
  }

  /** Of the values that are kept. */
  get weight(): number {
    return this.#weight;
  }
}
