/** `weir run --json` on the default model. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { runRecord, type RunRecord } from "../../protocols/fusion/record/run-record.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir } from "./weir-command.ts";

const PROMPT = "The river ran past the mill, and the";
const HYBRID = ["--alpha", "2", "--max-tokens", "6"];
const SMALL = [...HYBRID, "--smpc-layers", "none"];

describe("weir run --json", async () => {
  const scratch = await scratchFolder();
  let reference: RunRecord;

  before(async () => {
    reference = await run(...SMALL, "--place", "memory");
  });

  it("generates as many tokens as asked for, greedily", () => {
    assert.equal(reference.stopped, "max-tokens");
    assert.equal(reference.generatedIds.length, 6);
    assert.ok(reference.promptIds.length > 4);
    assert.notEqual(reference.text, "");
  });

  for (const flags of [
    [...SMALL, "--place", "sockets"],
    [...SMALL, "--place", "processes"],
    [...SMALL, "--place", "memory", "--head", "compnode"],
    ["--alpha", "3", "--c", "1", "--m", "2", "--max-tokens", "6", "--place", "memory", "--smpc-layers", "none"],
    [...HYBRID, "--place", "processes", "--parties", "3", "--dealer", "dealer"],
  ]) {
    it(`gives the same ids with ${flags.join(" ")}`, async () => {
      assert.deepEqual((await run(...flags)).generatedIds, reference.generatedIds);
    });
  }

  it("puts layer 0 under SMPC by default: no node sees an id, and the tokens are the same", async () => {
    const { generatedIds, smpc, parties, payloadBytes, expectedPayloadBytes } = await run(
      ...HYBRID,
      "--place",
      "memory",
    );
    assert.deepEqual(generatedIds, reference.generatedIds);
    assert.deepEqual(smpc?.layers, [0]);
    assert.equal(smpc?.parties, 2);
    assert.deepEqual(smpc?.failedRows, []);
    assert.equal(payloadBytes, expectedPayloadBytes);
    for (const [party, { kinds }] of Object.entries(parties)) assert.equal(kinds.id, undefined, party);
    assert.equal(reference.smpc, null);
  });

  it("takes a preset, shows the config that it comes to, and takes that again", async () => {
    const { code, stdout, stderr } = await weir("run", "--preset", "hidden", "--parties", "3", "--show-config");
    assert.deepEqual([code, stderr], [0, ""]);
    const config = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(
      [config.preset, config.placement, config.head, config.parties],
      ["hidden", "all=delegated", "client", 3],
    );
    const file = await scratch.write("config.json", stdout);
    const record = await run("--config", file, "--max-tokens", "2", "--place", "memory");
    assert.deepEqual(Object.keys(record.parties), ["smpc.0", "smpc.1", "smpc.2"]);
    assert.deepEqual({ ...record.config, maxTokens: config.maxTokens, place: config.place }, config);
  });

  it("samples the same ids again from the same seed, and others from another", async () => {
    const sampled = [...SMALL, "--place", "memory", "--temperature", "2", "--seed"];
    const [first, again, other] = [await run(...sampled, "7"), await run(...sampled, "7"), await run(...sampled, "8")];
    assert.deepEqual(again.generatedIds, first.generatedIds);
    assert.notDeepEqual(other.generatedIds, first.generatedIds);
  });

  it("sends less with float16 on the wire", async () => {
    const half = await run(...SMALL, "--place", "memory", "--wire", "float16");
    assert.equal(half.generatedIds.length, 6);
    assert.ok(half.payloadBytes < 0.6 * reference.payloadBytes, `${half.payloadBytes} of ${reference.payloadBytes}`);
  });

  it("keeps 56 positions between the clusters of a CompNode with c 8 and alpha 8", async () => {
    const words = Array.from({ length: 80 }, (_, at) => (at % 2 === 0 ? "river" : "mill")).join(" ");
    const flags = ["--c", "8", "--alpha", "8", "--max-tokens", "1", "--place", "memory"];
    const { promptIds, parties } = await run(...flags, "--prompt", words);
    assert.ok(promptIds.length >= 72, `${promptIds.length} tokens`);
    const withTwo = Object.entries(parties).filter(([party, { positions }]) => {
      const clusters = new Set(positions.map((position) => Math.floor(position / 8)));
      return party.startsWith("comp.") && clusters.size > 1;
    });
    assert.ok(withTwo.length > 0);
    // The last position of a cluster is 57 before the first of the next one: delta 64, less 7.
    for (const [party, { minGap, maxCluster }] of withTwo)
      assert.deepEqual([party, minGap, maxCluster], [party, 57, 8]);
  });
});

/** One run: exit code 0, a valid record alone on stdout, nothing on stderr, and costs as declared. */
async function run(...flags: readonly string[]): Promise<RunRecord> {
  const prompt = flags.includes("--prompt") ? [] : ["--prompt", PROMPT];
  const { code, stdout, stderr } = await weir("run", "--json", ...prompt, ...flags);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.equal(stdout.indexOf("\n"), stdout.length - 1, "expected one line on stdout");
  const record = runRecord.parse(JSON.parse(stdout));
  assert.ok(record.payloadBytes > 0);
  assert.equal(record.payloadBytes, record.expectedPayloadBytes);
  assert.equal(record.rounds, record.expectedRounds);
  return record;
}
