/** [0, 1, 8, 9] -> "0-1 8-9", cut where it is long. */
export function positionRanges(positions: readonly number[]): string {
  const runs: string[] = [];
  for (let at = 0; at < positions.length;) {
    let end = at;
    while (positions[end + 1] === positions[end] + 1) end++;
    runs.push(at === end ? `${positions[at]}` : `${positions[at]}-${positions[end]}`);
    at = end + 1;
  }
  return runs.length === 0
    ? "none"
    : runs.length > 6
      ? `${runs.slice(0, 5).join(" ")} ... ${runs.at(-1)}`
      : runs.join(" ");
}
