/** Every security claim names its record, proof or test, and the figures that it states are its record's. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { lemmaHeads } from "../../proofs/lemmas/all-lemmas.ts";
import { secrecyLemmas } from "../../proofs/secrecy/secrecy-lemmas.ts";
import { headingsOf } from "../house/markdown-rules.ts";
import { isAnchor } from "./claims/claim-anchor.ts";
import {
  anchoredSections,
  joined,
  pageClaims,
  sourceClaims,
  type PageClaims,
  type Sources,
} from "./claims/page-claims.ts";
import { pageUnits } from "./claims/page-units.ts";
import { RecordFigures } from "./claims/record-figures.ts";
import { CHECKOUT, textOf } from "./page-commands.ts";

const FINDINGS = "experiments/FINDINGS.md";
const PAPER = "docs/paper.md";
/** Pages of results: each share and decimal of them is a claim. */
const RESULTS = [FINDINGS, PAPER];
const PAGES = [
  "README.md",
  "SECURITY.md",
  "docs/security.md",
  "docs/planning.md",
  "docs/protocol.md",
  "docs/attacks.md",
  ...RESULTS,
];
/** What `weir run` and `weir plan` print: conclusions, ledger, warnings, and the words of flags and presets. */
const PRINTED = [
  "cli/conclusion-table.ts",
  "cli/run.ts",
  "cli/run-table.ts",
  ...["client", "config", "deployment", "record"].flatMap((room) =>
    readdirSync(path.join(CHECKOUT, "protocols/fusion", room)).map((name) => `protocols/fusion/${room}/${name}`),
  ),
];

const SOURCES: Sources = {
  records: new RecordFigures(),
  proofs: [...lemmaHeads(), ...secrecyLemmas(false)].map(({ name }) => name),
  sections: anchoredSections(textOf(FINDINGS)),
  checkout: CHECKOUT,
};

const claimsOf = (page: string, text = textOf(page)): PageClaims =>
  page.endsWith(".md") ? pageClaims(page, text, RESULTS.includes(page), SOURCES) : sourceClaims(page, text, SOURCES);

describe("security claims", () => {
  for (const page of PAGES)
    it(`of ${page} name what they rest on, and state its figures`, (test) => {
      const { claims, faults } = claimsOf(page);
      assert.deepEqual(faults, []);
      assert.ok(claims.length > 0);
      test.diagnostic(summary(claims));
    });

  it("that weir run prints name what they rest on", (test) => {
    const { claims, faults } = joined(PRINTED.map((file) => claimsOf(file)));
    assert.deepEqual(faults, []);
    assert.ok(claims.length > 10);
    test.diagnostic(summary(claims));
  });

  it("of a run's conclusions name a section with records, or a heading with claims", () => {
    const source = textOf("protocols/fusion/record/conclusions.ts");
    const evidence = [...source.matchAll(/evidence: `\$\{(FINDINGS|SECURITY)\}, ([^`]+)`/g)];
    assert.ok(evidence.length > 4);
    for (const [, page, place] of evidence)
      if (page === "FINDINGS") assert.ok(SOURCES.sections.has(place.replace("section ", "")), place);
      else {
        const security = textOf("docs/security.md");
        assert.ok(headingsOf(security).includes(place), place);
        const part = security.split(/^## /m).find((section) => section.startsWith(`${place}\n`))!;
        if (place !== "The ledger")
          assert.ok(
            pageUnits(part).some((unit) => [...unit.anchors, ...unit.ofTable].some(isAnchor)),
            place,
          );
      }
  });

  it("without a record are few, and say why", (test) => {
    const { claims } = joined(PAGES.map((page) => claimsOf(page)));
    const bare = claims.filter(({ restsOn }) => restsOn.every((of) => /^(?:definition|assumption|outside): /.test(of)));
    test.diagnostic(`${bare.length} of ${claims.length}`);
    assert.ok(bare.length * 4 < claims.length);
  });
});

/** "12 claims: 3 FILE, 2 OTHER, ...", what most rest on first. */
function summary(claims: PageClaims["claims"]): string {
  const counts = new Map<string, number>();
  for (const of of claims.flatMap(({ restsOn }) => [...new Set(restsOn)])) counts.set(of, (counts.get(of) ?? 0) + 1);
  const shown = [...counts].sort(([, a], [, b]) => b - a).map(([of, count]) => `${count} ${of}`);
  return `${claims.length} claims: ${shown.join("; ")}`;
}

describe("a claim that is broken", () => {
  const anchored = "One node reads 0.98 [0.97, 0.99] of the hidden tokens, 31 of 31 seen.";
  const anchor = "<!-- record: cells-rank-match.ndjson alpha=2 c=1: hiddenAccuracy, fitted of judged -->";
  const faultsOf = (text: string): readonly string[] => claimsOf("docs/security.md", text).faults;

  it("is red: a figure that differs, an end of its interval, a count", () => {
    assert.deepEqual(faultsOf(`${anchored} ${anchor}`), []);
    for (const [from, to] of [
      ["0.98 ", "0.97 "],
      ["0.99]", "1]"],
      ["31 of 31", "30 of 31"],
      [" of the hidden", " of 5 % of the hidden"],
    ])
      assert.notDeepEqual(faultsOf(`${anchored.replace(from, to)} ${anchor}`), [], to);
  });

  it("is red: no anchor, one of nothing that is there, one whose condition doesn't hold", () => {
    assert.match(faultsOf(anchored)[0], /names no record, proof or test/);
    for (const wrong of [
      anchor.replace("alpha=2", "alpha=3"),
      anchor.replace("cells-rank-match.", "cells-nothing."),
      anchor.replace("hiddenAccuracy,", "hiddenAccuracy, verdict == leaks,"),
      anchor.replace("hiddenAccuracy,", "noSuchMetric,"),
      "<!-- test: nowhere.test.ts -->",
      '<!-- test: tests/house/house.test.ts "no test is called so" -->',
      "<!-- proof: no lemma -->",
      "<!-- finding: 99 -->",
      "<!-- a comment -->",
      "<!-- outside: no -->",
    ])
      assert.notDeepEqual(faultsOf(`${anchored} ${wrong}`), [], wrong);
  });

  it("is red: one that is put before another's comment", () => {
    const more = `No node learns more. ${anchored}`;
    assert.match(faultsOf(`${more} ${anchor}`)[0], /its comment is for 1 claims, got 2/);
    assert.deepEqual(faultsOf(`${more} ${anchor.replace("record:", "claims: 2; record:")}`), []);
  });

  it("is red in a table: a row without a comment beside rows that have one", () => {
    const rows = "| who | what |\n| --- | --- |\n| a | b <!-- finding: 4 --> |\n| c | d |\n";
    assert.match(faultsOf(rows)[0], /names no record, proof or test: c \| d/);
  });

  it("is red in a table: a cell that differs, a row that no record has", () => {
    const head = "| c | alpha | read |\n| --- | --- | --- |\n";
    const table = (row: string): string =>
      `<!-- table: cells-rank-match.ndjson m=1 wire=float32 by c = c, alpha = alpha: read = hiddenAccuracy -->\n\n${head}${row}\n`;
    assert.deepEqual(faultsOf(table("| 1 | 2 | 0.980 |")), []);
    assert.match(faultsOf(table("| 1 | 2 | 0.981 |"))[0], /read: states no hiddenAccuracy/);
    assert.match(faultsOf(table("| 7 | 2 | 0.980 |"))[0], /expected a row with/);
  });

  it("is red in each page: every anchor that is dropped, and a claim that is added", () => {
    for (const page of PAGES) {
      const text = textOf(page);
      const bare = text.replaceAll(/<!-- (?:record|table|test|proof|finding|definition|outside|given):[^]*?-->/g, "");
      assert.ok(claimsOf(page, bare).faults.length > claimsOf(page).claims.length / 2, page);
      assert.match(claimsOf(page, `${text}\nMasks hide every token from all nodes.\n`).faults[0], /names no record/);
    }
    const source = textOf("protocols/fusion/record/meanings.ts");
    const bare = source.replaceAll(/^ *\/\/ proof: .*\n/gm, "");
    assert.equal(claimsOf("meanings.ts", bare).faults.length, 2);
  });
});
