/** The whole of one sum, window by window: rows in the order in which they see more and more keys, each window a few new positions. */
import type { CandidateKeys, RowWord } from "../sums/candidate-keys.ts";
import type { MixedRow, MixedSum } from "../sums/mixed-rows.ts";
import { SumWindow, type WindowOptions } from "./sum-window.ts";

export interface SumOptions extends WindowOptions {
  /** A position that isn't proven stays open while so many further groups of rows come; then its best guess goes on as it is. */
  readonly patience: number;
}

export interface SumDecoding {
  /** Position -> tokens, best first. Positions that no row sees are absent. */
  readonly guesses: ReadonlyMap<number, readonly number[]>;
  readonly certified: ReadonlySet<number>;
  /** Windows solved. */
  readonly windows: number;
}

/** Rows that see the same unknown keys for the first time, and these. */
interface Stage {
  readonly rows: MixedRow[];
  readonly fresh: readonly number[];
}

/** Decodes all positions of a sum that some row sees and `given` doesn't hold; deterministic in `chance`. */
export async function decodeSum(
  keys: CandidateKeys,
  word: RowWord,
  { rows }: MixedSum,
  given: ReadonlyMap<number, number>,
  logPrior: Float64Array,
  options: SumOptions,
  chance: () => number,
): Promise<SumDecoding> {
  const known = new Map(given);
  const guesses = new Map<number, readonly number[]>();
  const certified = new Set<number>();
  const age = new Map<number, number>(); // open position -> stages that it has been open for
  const stages = stagesOf(rows, given);
  let windows = 0;
  for (const [at, { fresh }] of stages.entries()) {
    for (const position of fresh) age.set(position, 0);
    const open = [...age.keys()];
    if (open.length === 0) continue;
    const recent = stages.slice(Math.max(0, at - options.patience), at + 1).flatMap((stage) => stage.rows);
    const seeing = recent.filter((row) => row.keys.some((key) => age.has(key)));
    if (seeing.length === 0) continue;
    const problem = { keys, word, rows: seeing, positions: open, known, logPrior };
    const result = await SumWindow.decode(problem, options, chance);
    windows++;
    for (const position of open) {
      const list = result.guesses.get(position)!;
      guesses.set(position, list);
      const isProven = result.certified.has(position);
      const stays = age.get(position)! < options.patience && at < stages.length - 1;
      if (isProven) certified.add(position);
      if (isProven || !stays) {
        known.set(position, list[0]);
        age.delete(position);
      } else age.set(position, age.get(position)! + 1);
    }
  }
  return { guesses, certified, windows };
}

function stagesOf(rows: readonly MixedRow[], given: ReadonlyMap<number, number>): Stage[] {
  const stages: Stage[] = [];
  const met = new Set<number>();
  for (const row of rows) {
    const fresh = row.keys.filter((key) => !given.has(key) && !met.has(key));
    fresh.forEach((key) => met.add(key));
    if (fresh.length > 0 || stages.length === 0) stages.push({ rows: [row], fresh });
    else stages[stages.length - 1].rows.push(row);
  }
  return stages;
}
