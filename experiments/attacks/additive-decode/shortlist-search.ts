/** The best choice of one column a section for a target, where each section has a few: least squares over choices, by descent on pairs. */

/** What was chosen. */
export interface Choice {
  /** Of each section, which of its columns. */
  readonly chosen: readonly number[];
  /** |target - Σ columns|² */
  readonly energy: number;
}

/**
 * Descends from `starts` beginnings (the first column of each section, then ones drawn by `chance`, earlier columns more often) by
 * moves of one and of two sections at a time; stops early at an energy of `enough`. All inner products are made once, so a move costs
 * no pass over the target. Columns as long as the target.
 */
export function searchShortlist(
  target: Float64Array,
  sections: readonly (readonly Float64Array[])[],
  starts: number,
  enough: number,
  chance: () => number,
): Choice {
  const at: number[] = []; // where a section's columns begin
  const flat: Float64Array[] = [];
  for (const columns of sections) {
    at.push(flat.length);
    flat.push(...columns);
  }
  const count = flat.length;
  const gram = new Float64Array(count * count);
  const pull = flat.map((column) => dot(column, target));
  for (let a = 0; a < count; a++)
    for (let b = 0; b <= a; b++) gram[a * count + b] = gram[b * count + a] = dot(flat[a], flat[b]);
  const whole = dot(target, target);

  /** What a section's column adds beside those chosen elsewhere. */
  const share = (chosen: readonly number[], s: number, c: number, without: number): number => {
    const own = at[s] + c;
    let energy = gram[own * count + own] - 2 * pull[own];
    for (let other = 0; other < chosen.length; other++)
      if (other !== s && other !== without) energy += 2 * gram[own * count + at[other] + chosen[other]];
    return energy;
  };
  const energyOf = (chosen: readonly number[]): number => {
    let energy = whole;
    chosen.forEach((c, s) => {
      const own = at[s] + c;
      energy += gram[own * count + own] - 2 * pull[own];
      for (let other = 0; other < s; other++) energy += 2 * gram[own * count + at[other] + chosen[other]];
    });
    return energy;
  };
  const descend = (chosen: number[]): void => {
    for (let moved = true; moved;) {
      moved = false;
      for (let s = 0; s < sections.length; s++)
        for (let t = s; t < sections.length; t++) {
          const ofS = sections[s].map((_, c) => share(chosen, s, c, t));
          const ofT = t === s ? [0] : sections[t].map((_, c) => share(chosen, t, c, s));
          let best = Infinity;
          let pair = [chosen[s], chosen[t]];
          let present = Infinity;
          ofS.forEach((first, c) =>
            ofT.forEach((second, d) => {
              const joint = t === s ? 0 : 2 * gram[(at[s] + c) * count + at[t] + d];
              const energy = first + second + joint;
              if (c === chosen[s] && (t === s || d === chosen[t])) present = energy;
              if (energy < best) [best, pair] = [energy, [c, d]];
            }),
          );
          if (!(best < present - 1e-9 * Math.abs(present))) continue;
          chosen[s] = pair[0];
          if (t !== s) chosen[t] = pair[1];
          moved = true;
        }
    }
  };

  let found: Choice | null = null;
  for (let start = 0; start < starts && (found === null || found.energy > enough); start++) {
    const chosen = sections.map(({ length }) => (start === 0 ? 0 : Math.floor(chance() ** 2 * length)));
    descend(chosen);
    const energy = energyOf(chosen);
    if (found === null || energy < found.energy) found = { chosen, energy };
  }
  return found!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
