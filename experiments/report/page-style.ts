/** Style sheet and script of the report: light and dark as the reader's system has it, from a phone's width on. A table that goes on has a shadow where it does. */
export const PAGE_STYLE = `  :root {
    color-scheme: light dark;
    --text: #1c232b; --quiet: #5f6b7a; --line: #d4dae1; --strong-line: #8a94a0; --ground: #ffffff; --link: #1a56b0;
    --breaks: #f6c9c4; --leaks: #fbe3c0; --undecided: #e3e7ec; --none: #d5ebd6; --attack: #b3261e;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --text: #e3e8ee; --quiet: #9aa7b5; --line: #343d47; --strong-line: #6b7783; --ground: #14191f; --link: #8ab8ff;
      --breaks: #7a2a22; --leaks: #6b4a12; --undecided: #3a434d; --none: #22502a; --attack: #ff8a80;
    }
  }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 1440px; margin: 2em auto; padding: 0 1em; color: var(--text); background: var(--ground); }
  a { color: var(--link); }
  h2 { margin: 2.4em 0 0.4em; }
  p, nav { max-width: 1000px; }
  nav ol { columns: 2; column-gap: 2em; padding-left: 1.6em; font-size: 14px; }
  nav li { break-inside: avoid; margin-bottom: 0.3em; }
  .plot { overflow-x: auto; margin: 1em 0; }
  .plot figure { margin: 0; }
  .plot svg { --plot-background: var(--ground); }
  .plot svg[width="760"] { min-width: 640px; }
  table { border-collapse: collapse; margin: 1em 0; font-size: 13px; }
  th, td { border-bottom: 1px solid var(--line); padding: 3px 10px; text-align: right; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
  th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
  th[aria-sort="ascending"] button::after { content: " \\2191"; }
  th[aria-sort="descending"] button::after { content: " \\2193"; }
  tr.void { background: var(--undecided); }
  tr:target { outline: 2px solid var(--link); }
  .wide {
    overflow-x: auto; background: linear-gradient(to right, var(--ground) 40%, transparent) 0 0 / 40px 100% no-repeat local,
      linear-gradient(to left, var(--ground) 40%, transparent) 100% 0 / 40px 100% no-repeat local,
      linear-gradient(to right, var(--strong-line), transparent) 0 0 / 14px 100% no-repeat scroll,
      linear-gradient(to left, var(--strong-line), transparent) 100% 0 / 14px 100% no-repeat scroll;
  }
  .wide:focus { outline: 1px dotted var(--strong-line); }
  .quiet, .small { color: var(--quiet); }
  .small { font-size: 12px; }
  @media (max-width: 700px) {
    body { margin: 1em auto; }
    nav ol { columns: 1; }
  }`;

/** Sorts a table by the column whose heading is pressed: numbers by value (of an interval its mean), others as text. */
export const PAGE_SCRIPT = `
for (const table of document.querySelectorAll("table.records")) {
  const [head, ...rows] = table.rows;
  for (const [column, cell] of [...head.cells].entries()) {
    cell.querySelector("button").addEventListener("click", () => {
      const isUp = cell.getAttribute("aria-sort") === "descending";
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      const text = (row) => row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [parseFloat(text(a)), parseFloat(text(b))];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || text(a).localeCompare(text(b));
        return isUp ? x - y : y - x;
      };
      for (const row of rows.toSorted(compare)) row.parentNode.append(row);
    });
  }
}`;
