/** Writes docs/costs.md. */
import { writeFile } from "node:fs/promises";
import { costPage } from "./cost-page.ts";

await writeFile(new URL("../../docs/costs.md", import.meta.url), costPage());
