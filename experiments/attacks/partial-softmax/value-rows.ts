/**
 * Value rows of others from partial results, at any layer and without weights.
 *
 * One visible key: u / e is its value row. Two, of which one was seen alone by an earlier row: e = 1 + exp(-|difference of logits|), so
 * their shares are 1 / e and 1 - 1 / e, and which is whose is settled by all rows and heads having to agree on the other's value.
 */
import type { AttentionSpec } from "../../../layers/program.ts";
import type { MixedRow, MixedSum } from "../sums/mixed-rows.ts";

/** A value row that was worked out. */
export interface ValueRow {
  readonly position: number;
  /** [kvHeads·headDim] */
  readonly values: Float64Array;
  /** Keys of the sums that it comes from: 1, or 2. */
  readonly keys: 1 | 2;
}

/** A share smaller than this blows rounding up. */
const LEAST_SHARE = 1e-3;

/** All value rows that sums of one or two keys give; a merged row of two keys has no mass and gives none. */
export function valueRowsOf(sums: readonly MixedSum[], attention: AttentionSpec): ValueRow[] {
  const found: ValueRow[] = [];
  for (const { rows } of sums) {
    const single = new Map<number, Float64Array>();
    for (const [key, of] of byKeys(rows, 1)) {
      const values = eachGroup(of, attention, (group) =>
        weightedMean(
          group.map(({ mean }) => mean),
          group.map(() => 1),
        ),
      );
      if (values !== null) single.set(Number(key), values);
    }
    for (const [position, values] of single) found.push({ position, values, keys: 1 });
    for (const of of byKeys(rows, 2).values()) {
      const [a, b] = of[0].keys;
      const given = single.has(a) ? a : single.has(b) ? b : null;
      if (given === null) continue;
      const values = eachGroup(of, attention, (group, from) => secondOf(group, single.get(given)!.subarray(from)));
      if (values !== null) found.push({ position: given === a ? b : a, values, keys: 2 });
    }
  }
  return found;
}

function byKeys(rows: readonly MixedRow[], count: number): Map<string, MixedRow[]> {
  const groups = new Map<string, MixedRow[]>();
  for (const row of rows) {
    if (row.keys.length !== count) continue;
    const name = row.keys.join(",");
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return groups;
}

/** One part a value head, side by side [kvHeads·headDim]; null where one can't be told. */
function eachGroup(
  rows: readonly MixedRow[],
  { heads, kvHeads, headDim }: AttentionSpec,
  part: (rows: readonly MixedRow[], from: number) => Float64Array | null,
): Float64Array | null {
  const values = new Float64Array(kvHeads * headDim);
  for (let group = 0; group < kvHeads; group++) {
    const own = rows.filter(({ head }) => Math.floor((head * kvHeads) / heads) === group);
    const found = part(own, group * headDim);
    if (found === null) return null;
    values.set(found, group * headDim);
  }
  return values;
}

/** The other value row where one is given: of each row's two answers, those that agree. */
function secondOf(rows: readonly MixedRow[], given: Float64Array): Float64Array | null {
  const answers = rows
    .filter(({ mass }) => mass !== null)
    .map(({ mean, mass }) =>
      [1 / mass!, 1 - 1 / mass!]
        .filter((share) => share > LEAST_SHARE) // the unknown key's
        .map((share) => ({ share, values: mean.map((x, i) => (x - (1 - share) * given[i]) / share) })),
    )
    .filter((both) => both.length > 0);
  let best: { spread: number; values: Float64Array } | null = null;
  for (const first of answers.flat()) {
    const agreeing = answers.map((both) =>
      both.reduce((a, b) => (distance(a.values, first.values) <= distance(b.values, first.values) ? a : b)),
    );
    const weights = agreeing.map(({ share }) => share ** 2);
    const values = weightedMean(
      agreeing.map((answer) => answer.values),
      weights,
    );
    const spread = agreeing.reduce((sum, answer, at) => sum + weights[at] * distance(answer.values, values), 0);
    if (best === null || spread < best.spread) best = { spread, values };
  }
  return best === null || answers.length < 2 ? null : best.values;
}

function weightedMean(vectors: readonly Float64Array[], weights: readonly number[]): Float64Array {
  const total = weights.reduce((a, b) => a + b, 0);
  const mean = new Float64Array(vectors[0].length);
  vectors.forEach((vector, at) => {
    for (let i = 0; i < mean.length; i++) mean[i] += (vector[i] * weights[at]) / total;
  });
  return mean;
}

const distance = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0);
