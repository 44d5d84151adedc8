/** Writes docs/costs.md, and the table of gates in docs/smpc.md. */
import { readFile, writeFile } from "node:fs/promises";
import { costPage } from "./cost-page.ts";
import { withGateTable } from "./gate-table.ts";

const SMPC_PAGE = new URL("../../docs/smpc.md", import.meta.url);

await writeFile(new URL("../../docs/costs.md", import.meta.url), costPage());
await writeFile(SMPC_PAGE, withGateTable(await readFile(SMPC_PAGE, "utf8")));
