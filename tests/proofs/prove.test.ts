import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { proofRecord } from "../../cli/prove-record.ts";
import { weir } from "../cli/weir-command.ts";

describe("weir prove", () => {
  it("prints a record of the lemmas that are asked for, and the plans that they are compared at", async () => {
    const { code, stdout, stderr } = await weir("prove", "--json", "linear", "differences", "secrecy of share");
    assert.equal(stderr, "");
    assert.equal(code, 0);
    const record = proofRecord.parse(JSON.parse(stdout));
    assert.ok(record.ok);
    assert.deepEqual(
      record.lemmas.map(({ name, verdict }) => [name, verdict]),
      [
        ["linear", "proved"],
        ["linear: every party adds", "refuted"],
        ["differences", "proved"],
        ["differences: too wide", "refuted"],
        ["secrecy of share", "proved"],
      ],
    );
    assert.ok(record.plans.includes("bert-base, fine, 9 rows after 0"));
  });

  it("prints a line a lemma", async () => {
    const { code, stdout } = await weir("prove", "secrecy of share", "secrecy: opened");
    assert.equal(code, 0);
    assert.match(stdout, /^proved +secrecy of share \(share, 3 bits, n = 2; .*\): \d+ cases, [\d.]+ s$/m);
    assert.match(stdout, /^refuted, as it must be +secrecy: opened in the clear \(.*\): \d+ cases, [\d.]+ s$/m);
    assert.match(stdout, /^all as it must be, [\d.]+ s$/m);
  });

  it("is red and exits with 1 where the solver gives no answer", async () => {
    const before = process.env.NODE_OPTIONS;
    const ending = encodeURIComponent('process.argv[1]?.endsWith("z3-process.mjs") && process.exit(3)');
    process.env.NODE_OPTIONS = `--import=data:text/javascript,${ending}`;
    try {
      const { code, stdout } = await weir("prove", "products");
      assert.equal(code, 1);
      assert.match(stdout, /^RED, undecided +products \(.*\n  solver: expected \d+ answers, got 0$/m);
      assert.match(stdout, /^NOT all as it must be/m);
    } finally {
      if (before === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = before;
    }
  });

  it("names the lemmas there are for one that isn't", async () => {
    const { code, stdout, stderr } = await weir("prove", "riemann");
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^weir: prove: lemma: expected the beginning of one of linear, .*, got riemann$/m);
  });
});
