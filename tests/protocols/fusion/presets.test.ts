/** What the named run configs stand for, what goes over them, and that each runs as it says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { openRun } from "../../../protocols/fusion/client/run-prompt.ts";
import { configOver, PRESET_NAMES, PRESETS, withDefaultPreset } from "../../../protocols/fusion/config/presets.ts";
import { parseRunConfig, placementText } from "../../../protocols/fusion/config/run-config.ts";
import { presetNodes } from "../../../protocols/fusion/deployment/preset-nodes.ts";
import type { RunRecord } from "../../../protocols/fusion/record/run-record.ts";

const quiet = (): void => {};
const PROMPT = { text: "It was a dark night", chat: false };

async function record(config: Record<string, unknown>): Promise<RunRecord> {
  const run = await openRun(parseRunConfig({ place: "memory", maxTokens: 4, ...config }), PROMPT, quiet);
  try {
    return await run.generate({ startedAt: performance.now(), onText: quiet });
  } finally {
    await run.close();
  }
}

describe("a preset", () => {
  it("stands for its keys, and other keys go over it", () => {
    for (const preset of PRESET_NAMES) {
      const config = parseRunConfig({ preset });
      assert.deepEqual({ ...config, ...PRESETS[preset].config }, config, preset);
      assert.equal(config.preset, preset);
    }
    const over = parseRunConfig({ preset: "hidden", smpcLayers: "first:2", head: "compnode" });
    assert.deepEqual([placementText(over), over.head], ["first:2=smpc", "compnode"]);
  });

  it("resolved is a config that resolves to itself", () => {
    const keys = fc.record(
      {
        preset: fc.constantFrom(...PRESET_NAMES),
        placement: fc.constantFrom("all=smpc", "last:2=delegated"),
        head: fc.constantFrom("client", "delegated"),
        alpha: fc.integer({ min: 1, max: 8 }),
        model: fc.constant("some-model"),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(keys, (given) => {
        const resolved = withDefaultPreset(parseRunConfig(given));
        assert.deepEqual(withDefaultPreset(parseRunConfig(JSON.parse(JSON.stringify(resolved)))), resolved);
        for (const key of ["placement", "head", "alpha"] as const)
          if (given[key] !== undefined) assert.equal(resolved[key], given[key]);
      }),
    );
  });

  it("that is typed goes over a file's keys, and a file's preset under them", () => {
    const typed = configOver({ smpcLayers: "none", head: "compnode" }, { preset: "hidden" });
    assert.deepEqual(typed, { preset: "hidden", placement: "all=delegated", head: "client" });
    const filed = configOver({ preset: "hidden", head: "delegated" }, { smpcLayers: "all" });
    assert.deepEqual(filed, { preset: "hidden", smpcLayers: "all", head: "delegated" });
  });

  it("is hybrid where nothing is said on the model that comes with weir, else cascade", () => {
    assert.equal(withDefaultPreset(parseRunConfig({})).preset, "hybrid");
    assert.equal(withDefaultPreset(parseRunConfig({ model: "some" })).preset, "cascade");
    assert.equal(withDefaultPreset(parseRunConfig({ smpcLayers: "none" })).preset, undefined);
  });

  it("gives the tokens of the plain model, each its own way", async () => {
    const plain = await record({ preset: "plain" });
    assert.equal(plain.generatedIds.length, 4);
    assert.deepEqual([plain.parties, plain.payloadBytes, plain.smpc], [{}, 0, null]);
    const parties: Record<string, string[]> = {};
    for (const preset of PRESET_NAMES.filter((name) => name !== "plain")) {
      const run = await record({ preset, alpha: 2 });
      assert.deepEqual(run.generatedIds, plain.generatedIds, preset);
      assert.equal(run.payloadBytes, run.expectedPayloadBytes, preset);
      parties[preset] = Object.keys(run.parties);
    }
    const cascade = ["comp.0", "comp.1", "attn.0.0", "attn.0.1", "attn.1.0", "attn.1.1"];
    const smpc = ["smpc.0", "smpc.1"];
    assert.deepEqual(parties, { hybrid: [...cascade, ...smpc], hidden: smpc, cascade, smpc });
  });

  it("may be mixed: delegated layers beside Cascade, SMPC and CompNodes that sample", async () => {
    const plain = await record({ preset: "plain" });
    for (const config of [
      { placement: "first:7=delegated" },
      { placement: "last:7=delegated" },
      { placement: "0-2=delegated; 4=delegated; 6=smpc" },
      { placement: "all=delegated", head: "compnode" },
    ]) {
      const run = await record({ ...config, alpha: 2 });
      assert.deepEqual(run.generatedIds, plain.generatedIds, JSON.stringify(config));
      assert.equal(run.payloadBytes, run.expectedPayloadBytes);
      assert.equal(run.isHidden, false, JSON.stringify(config));
    }
  });

  it("needs the nodes that it says, and no others", () => {
    const wanted = { alpha: 3, beta: 6, parties: 0, dealer: true };
    assert.deepEqual(presetNodes("hybrid", wanted), { ...wanted, parties: 2 });
    assert.deepEqual(presetNodes("hidden", { ...wanted, parties: 3 }), { alpha: 0, beta: 0, parties: 3, dealer: true });
    assert.deepEqual(presetNodes("cascade", wanted), { ...wanted, dealer: false });
    assert.throws(
      () => presetNodes("plain", wanted),
      /^Error: preset: expected one whose layers parties compute, got plain/,
    );
  });
});

describe("a plain run", () => {
  it("refuses what a run with parties does", async () => {
    await assert.rejects(
      record({ preset: "plain", maxTokens: 10_000 }),
      /^Error: prompt and maxTokens: expected at most/,
    );
    await assert.rejects(
      record({ preset: "plain", model: "tests/fixtures/models/bert" }),
      /^Error: model bert: expected a decoder, got an encoder/,
    );
  });
});
