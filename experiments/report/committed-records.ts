import { readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const RECORDS = fileURLToPath(new URL("../attacks/records", import.meta.url));

/** Paths of the records that come with weir, in order of name. */
export async function committedRecords(): Promise<string[]> {
  const names = (await readdir(RECORDS)).filter((name) => name.endsWith(".ndjson")).sort();
  return names.map((name) => path.join(RECORDS, name));
}
