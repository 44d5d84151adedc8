/** A draw of the standard normal distribution, by Box and Muller's method; `chance` gives numbers in [0, 1). */
export const normal = (chance: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
