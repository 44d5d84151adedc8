/** What to do about it, where the code alone doesn't say. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: "; free some space, or name a place on another disk",
  EDQUOT: "; free some space, or name a place on another disk",
};

/** What the system refused of a file or folder, in words: `views out: expected a folder that can be written, got ENOSPC; free some space, ...`. */
export function fileError(what: string, expected: string, cause: unknown): Error {
  const code = (cause as NodeJS.ErrnoException).code ?? "an error";
  return new Error(`${what}: expected ${expected}, got ${code}${REMEDIES[code] ?? ""}`, { cause });
}
