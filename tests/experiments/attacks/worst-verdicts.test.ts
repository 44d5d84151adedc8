/** What records come to for a setting is the worst of them, whichever attack made it; and stronger attacks that weren't run are named. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { attackNames, attackStrengths } from "../../../experiments/attacks/registry.ts";
import { attackFacts } from "../../../experiments/report/attack-facts.ts";
import { committedRecords } from "../../../experiments/report/committed-records.ts";
import { readRecords } from "../../../experiments/report/read-records.ts";
import { reportPage } from "../../../experiments/report/report-page.ts";
import {
  VERDICTS,
  worstVerdicts,
  type Strength,
  type WorstVerdict,
} from "../../../experiments/report/worst-verdicts.ts";

const RECORDS = path.resolve(import.meta.dirname, "../../../experiments/attacks/records");
/** An attack that goes further than any of those below. */
const DECODER: Strength = { name: "decoder", strength: "decoded rows", reads: ["row"] };
/** Attacks that go less far, so that records of others change nothing here. */
const WEAKER = attackStrengths().filter(({ strength }) => strength !== "decoded rows");

/** The one row of a sharding with the first layer on shares, of one CompNode and hidden tokens. */
function of(
  verdicts: readonly WorstVerdict[],
  alpha: number,
  c: number,
  merge: string,
  model = "default",
): WorstVerdict {
  const found = verdicts.filter(
    ({ setting, attackers, tokens }) =>
      setting.model === model &&
      setting.onShares === "first 1" &&
      setting.alpha === alpha &&
      setting.c === c &&
      setting.m === 1 &&
      setting.wire === "float32" &&
      setting.merge === merge &&
      attackers.comp === 1 &&
      attackers.attn === 0 &&
      tokens === "hidden",
  );
  assert.equal(found.length, 1);
  return found[0];
}

describe("the worst verdict on a setting", async () => {
  const records = await readRecords(await committedRecords());
  const facts = await attackFacts(records);
  const verdicts = worstVerdicts(facts, attackStrengths());
  const names = new Set(WEAKER.map(({ name }) => name));
  const weaker = facts.filter(({ ran }) => ran.every((name) => names.has(name)));
  const withoutDecoder = worstVerdicts(weaker, WEAKER);

  it("is no better than any record of it on those attackers", () => {
    assert.ok(verdicts.length > 50);
    for (const { facts: all, worst } of verdicts)
      for (const fact of all) assert.ok(VERDICTS.indexOf(worst.verdict) <= VERDICTS.indexOf(fact.verdict));
    const counted = new Set(verdicts.flatMap((one) => one.facts));
    for (const fact of facts)
      if (!counted.has(fact)) {
        // More parties of the same kinds: fewer got as far.
        const smaller = facts.filter((other) => other.coalition.length < fact.coalition.length);
        assert.ok(smaller.some(({ verdict }) => VERDICTS.indexOf(verdict) <= VERDICTS.indexOf(fact.verdict)));
      }
  });

  it("names its record, with interval, passes, control and certificates", () => {
    const { worst } = of(withoutDecoder, 2, 1, "masked");
    assert.deepEqual([worst.attack, worst.verdict, worst.certifiedWrong], ["rank-match", "breaks", 0]);
    assert.deepEqual(worst.place, { file: "cells-rank-match-masked.ndjson", line: 1 });
    assert.ok(worst.hidden!.low < worst.hidden!.mean && worst.passes! > 1000 && worst.controls.positive === 1);
  });

  it("takes the parts of a composed attack as run, and says which stronger ones were not", () => {
    assert.deepEqual(of(withoutDecoder, 4, 2, "plain").notAttackedBy, []);
    const more = worstVerdicts(weaker, [...WEAKER, DECODER]);
    assert.deepEqual(of(more, 8, 1, "masked").notAttackedBy, ["decoder"]);
    // Only guesses were tried there.
    const filled = more.find(({ worst: { place } }) => place.file === "infill.ndjson" && place.line === 5)!;
    for (const name of ["gap-match", "rank-match", "decoder"]) assert.ok(filled.notAttackedBy.includes(name), name);
    assert.ok(!filled.notAttackedBy.includes("row-invert"));
    // Parties on shares hold no row.
    const party = more.find(({ attackers }) => attackers.smpc === 1)!;
    assert.deepEqual(party.notAttackedBy, []);
    // Where nothing is left to read, nothing stronger is missed.
    assert.deepEqual(of(more, 1, 2, "plain").notAttackedBy, []);
  });

  it("changes when a stronger attack's record arrives, and not when that is void", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "weir-verdicts-"));
    try {
      const [, , , , , line] = (await readFile(path.join(RECORDS, "cells-rank-match-masked.ndjson"), "utf8")).split(
        "\n",
      );
      const cell = JSON.parse(line) as { scores: { hiddenAccuracy: unknown }; cell: { setting: unknown } };
      assert.deepEqual(cell.cell.setting, { alpha: 8, c: 1, smpcLayers: "first:1", merge: "masked" });
      const interval = { mean: 0.886, low: 0.87, high: 0.9, n: 8 };
      const read = {
        ...cell,
        experiment: "decoder",
        configHash: "0123456789abcdef",
        attack: "decoder",
        scores: { ...cell.scores, hiddenAccuracy: interval },
        prior: { hiddenAccuracy: { mean: 0, low: 0, high: 0, n: 8 } },
        leak: interval,
        verdict: "breaks",
      };
      const withRecord = async (record: unknown): Promise<WorstVerdict> => {
        const file = path.join(folder, "cells-decoder.ndjson");
        await writeFile(file, `${JSON.stringify(record)}\n`);
        const more = await attackFacts(await readRecords([file]));
        return of(worstVerdicts([...weaker, ...more], [...WEAKER, DECODER]), 8, 1, "masked");
      };
      const broken = await withRecord(read);
      assert.deepEqual([broken.worst.attack, broken.worst.verdict, broken.notAttackedBy], ["decoder", "breaks", []]);
      assert.equal(broken.worst.hidden!.mean, 0.886);
      const voided = await withRecord({ ...read, verdict: "void", void: "negative control: got 1" });
      assert.deepEqual([voided.worst.attack, voided.notAttackedBy], ["row-decode", ["decoder"]]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("is of known attacks: what a record says was run is in the registry", () => {
    const known = new Set(attackNames());
    for (const { ran, place } of facts)
      for (const name of ran) assert.ok(known.has(name), `${place.file}:${place.line} names ${name}`);
    assert.ok(!facts.some(({ ran }) => ran.includes("best-of")), "a composed record whose config is another one now");
  });

  it("stands first on the report, each row with its record", () => {
    const page = reportPage({ records, verdicts, questions: new Map() });
    const table = page.indexOf('<table class="verdicts">');
    assert.ok(table > 0 && table < page.indexOf("<svg"));
    const ids = new Set([...page.matchAll(/ id="(record-[^"]+)"/g)].map(([, id]) => id));
    const links = [...page.matchAll(/href="#(record-[^"]+)"/g)].map(([, id]) => id);
    assert.equal(links.length, verdicts.length);
    for (const link of links) assert.ok(ids.has(link), link);
    const missing = worstVerdicts([of(withoutDecoder, 4, 1, "masked").worst], [...WEAKER, DECODER]);
    assert.match(reportPage({ records, verdicts: missing, questions: new Map() }), /not attacked by decoder/);
  });
});
