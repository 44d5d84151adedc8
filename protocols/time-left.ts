/** How long what is left of a task will take, from how long what is done of it took: for people who wait. */
export class TimeLeft {
  readonly #parts: number;
  readonly #startedAt = performance.now();
  #done = 0;

  /** `parts`: how many parts of about the same size the task has. */
  constructor(parts: number) {
    this.#parts = parts;
  }

  /** One more part is done. */
  done(): void {
    this.#done++;
  }

  /** ", 12 s left", to follow what is being done; nothing before a part is done. */
  get text(): string {
    if (this.#done === 0) return "";
    const perPart = (performance.now() - this.#startedAt) / this.#done;
    return `, ${Math.ceil((perPart * (this.#parts - this.#done)) / 1000)} s left`;
  }
}
