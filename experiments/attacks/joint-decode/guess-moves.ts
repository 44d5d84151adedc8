/**
 * Guesses around guesses that change several places at once: what single swaps can't reach. Early layers hardly tell order, so that a
 * window with two of its tokens exchanged is a deep local minimum.
 */

/** `places`: those that may change. Two tokens exchanged, one moved elsewhere, and tokens that another guess has in a run of places. */
export function* guessMoves(
  guess: readonly number[],
  others: readonly (readonly number[])[],
  places: readonly number[],
): Generator<number[]> {
  for (const from of places)
    for (const to of places) {
      if (from === to) continue;
      if (from < to) {
        const exchanged = [...guess];
        [exchanged[from], exchanged[to]] = [exchanged[to], exchanged[from]];
        yield exchanged;
      }
      if (Math.abs(from - to) > 1) {
        const order = places.filter((place) => place !== from);
        order.splice(places.indexOf(to), 0, from);
        const moved = [...guess];
        places.forEach((place, at) => (moved[place] = guess[order[at]]));
        yield moved;
      }
    }
  for (const other of others) {
    const different = places.filter((place) => guess[place] !== other[place]);
    if (different.length < 2) continue;
    for (let at = 1; at < different.length; at++) {
      const crossed = [...guess];
      for (const place of different.slice(0, at)) crossed[place] = other[place];
      yield crossed;
      const rest = [...guess];
      for (const place of different.slice(at)) rest[place] = other[place];
      yield rest;
    }
    for (const place of different) yield [...guess].with(place, other[place]);
  }
}
