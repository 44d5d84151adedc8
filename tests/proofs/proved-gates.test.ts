import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { lemmaHeads } from "../../proofs/lemmas/all-lemmas.ts";
import { secrecyLemmas } from "../../proofs/secrecy/secrecy-lemmas.ts";
import { gates } from "../../protocols/smpc/gates/registry.ts";

const PAGE = readFileSync(path.resolve(import.meta.dirname, "../../docs/proofs.md"), "utf8");

/** First cells of the table below a heading. */
function firstCells(page: string, heading: string): string[] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const rows = section.split("\n## ")[0].matchAll(/^\| ([^|]+?) \|.*\|$/gm);
  return [...rows].map(([, cell]) => cell).filter((cell) => !/^(lemma|gate|---)$/.test(cell));
}

/** What is wrong with a list of gates without lemmas. */
function faultsOf(listed: readonly string[], proved: ReadonlySet<string>, registered: readonly string[]): string[] {
  return [
    ...registered
      .filter((gate) => !proved.has(gate) && !listed.includes(gate))
      .map((gate) => `${gate}: no lemma, not listed`),
    ...listed.filter((gate) => proved.has(gate)).map((gate) => `${gate}: listed, but has lemmas`),
    ...listed.filter((gate) => !registered.includes(gate)).map((gate) => `${gate}: listed, but is no gate`),
  ];
}

describe("gates and their lemmas", () => {
  const heads = lemmaHeads();
  const proved = new Set<string>(heads.filter(({ expected }) => expected === "proved").flatMap((lemma) => lemma.gates));
  const registered = Object.keys(gates);
  const listed = firstCells(PAGE, "Gates without a lemma");

  it("every gate has a lemma, or is listed with the reason", () => {
    assert.deepEqual(faultsOf(listed, proved, registered), []);
    assert.ok(listed.length > 0);
    assert.deepEqual(faultsOf([], proved, [...registered, "new"]).slice(-1), ["new: no lemma, not listed"]);
    assert.deepEqual(faultsOf([...listed, "shift", "gone"], proved, registered), [
      "shift: listed, but has lemmas",
      "gone: listed, but is no gate",
    ]);
  });

  it("the page lists every lemma, and no other", () => {
    const names = heads.filter(({ expected }) => expected === "proved").map(({ name }) => name);
    assert.deepEqual(firstCells(PAGE, "What is proved, and how it is tied to the code"), names);
    const secret = secrecyLemmas(true).filter(({ expected }) => expected === "proved");
    assert.deepEqual(
      firstCells(PAGE, "Secrecy"),
      secret.map(({ name }) => name.replace("secrecy of ", "")),
    );
  });

  it("the page counts them", () => {
    const count = (all: readonly { readonly expected: string }[], expected: string): number =>
      all.filter((each) => each.expected === expected).length;
    const secrecy = secrecyLemmas(true);
    const said = [count(heads, "proved"), count(heads, "refuted"), count(secrecy, "proved"), count(secrecy, "refuted")];
    const [, ...found] =
      /There are (\d+): (\d+) lemmas and (\d+) statements .*?, (\d+) and (\d+) on secrecy/s.exec(PAGE) ?? [];
    assert.deepEqual(found.map(Number), [said.reduce((sum, each) => sum + each, 0), ...said]);
  });
});
