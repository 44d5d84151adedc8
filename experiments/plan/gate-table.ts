import { gates } from "../../protocols/smpc/gates/registry.ts";

const HEAD = "| gate | what it does |";

/**
 * docs/smpc.md with the gates' own table: a line each, as the gates have it. `npm run docs:costs` writes it; a test compares it.
 * Throws Error for a page without the table's head line.
 */
export function withGateTable(page: string): string {
  const lines = page.split("\n");
  const from = lines.indexOf(HEAD);
  if (from < 0) throw new Error(`docs/smpc.md: expected a table with the head ${HEAD}, got none`);
  const rows = lines.slice(from).findIndex((line) => !line.startsWith("|"));
  const table = Object.values(gates).map(({ name, does }) => `| ${name} | ${does} |`);
  return [...lines.slice(0, from), HEAD, "| --- | --- |", ...table, ...lines.slice(from + rows)].join("\n");
}
