/** What parties can conclude follows from what they saw, whatever that was; and what hiding it would cost is what hiding it costs. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { openModel, type Model } from "../../../layers/model.ts";
import { openRun } from "../../../protocols/fusion/client/run-prompt.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { conclusions, isHidden, type Conclusion } from "../../../protocols/fusion/record/conclusions.ts";
import type { PartyExposure } from "../../../protocols/fusion/record/join-exposures.ts";
import type { Exposure, ExposureKind } from "../../../protocols/fusion/record/ledger.ts";
import type { RunRecord } from "../../../protocols/fusion/record/run-record.ts";
import { describeSession } from "../../../protocols/fusion/session/describe-session.ts";

const quiet = (): void => {};
const STEPS = 4;
const FIXTURES = path.resolve(import.meta.dirname, "../../fixtures/models");

async function record(config: Record<string, unknown>): Promise<RunRecord> {
  const given = parseRunConfig({ place: "memory", maxTokens: STEPS, ...config });
  const run = await openRun(given, { text: "It was a dark night", chat: false }, quiet);
  try {
    return await run.generate({ startedAt: performance.now(), onText: quiet });
  } finally {
    await run.close();
  }
}

const of = (record_: RunRecord, party: string): Conclusion["findings"] =>
  record_.conclusions.find(({ parties, together }) => together === null && parties[0] === party)!.findings;
const upTo = (last: number, from = 0): number[] => Array.from({ length: last + 1 - from }, (_, at) => from + at);

/** The view of a party that saw these kinds of these positions at these layers. */
function exposure(kinds: readonly ExposureKind[], positions: number[], layers: number[]): Exposure {
  const seen = Object.fromEntries(kinds.map((kind) => [kind, { layers, positions }]));
  const isOwn = kinds.some((kind) => ["id", "row", "q", "k", "v", "attended", "logits", "token"].includes(kind));
  const gaps = { minGap: null, maxCluster: 1, minGapWithRevealed: null, maxClusterWithRevealed: 1 };
  return { positions: isOwn ? positions : [], kinds: seen, ...gaps };
}

describe("what parties of a run can conclude", () => {
  it("is every token up to a CompNode's last row where layers are in Cascade, and nothing of an SMPC party", async () => {
    const hybrid = await record({ preset: "hybrid", alpha: 2 });
    const { length } = hybrid.promptIds;
    const last = length + STEPS - 2; // the last token is not fed back
    for (const [party, parity] of [
      ["comp.0", 0],
      ["comp.1", 1],
    ] as const) {
      const own = upTo(last).filter((position) => Math.floor(position / 2) % 2 === parity);
      const [finding, ...others] = of(hybrid, party);
      assert.deepEqual(others, []);
      assert.deepEqual(finding.positions, upTo(own[own.length - 1]));
      assert.deepEqual(
        [finding.how, finding.effort, finding.evidence],
        ["rank matching of partial results", "seconds", "experiments/FINDINGS.md, section 4"],
      );
    }
    assert.deepEqual([of(hybrid, "smpc.0"), of(hybrid, "smpc.1")], [[], []]);
    const [probes, decoded] = of(hybrid, "attn.0.1");
    const keys = hybrid.parties["attn.0.1"].kinds.k.positions;
    assert.deepEqual([probes.share, probes.positions], ["most", hybrid.parties["attn.0.1"].positions]);
    assert.deepEqual(
      [decoded.how, decoded.effort, decoded.evidence],
      ["joint decoding of its key and value rows", "minutes", "experiments/FINDINGS.md, section 11"],
    );
    assert.deepEqual(decoded.positions, upTo(keys[keys.length - 1]));
    const together = hybrid.conclusions.filter((conclusion) => conclusion.together !== null);
    assert.deepEqual(
      together.map(({ parties, findings: [{ positions }] }) => [parties, positions]),
      [[["smpc.0", "smpc.1"], upTo(last)]],
    );
    assert.equal(hybrid.isHidden, false);
  });

  it("takes minutes under a masked merge, and is told at once where layer 0 is in Cascade", async () => {
    const masked = await record({ preset: "cascade", merge: "masked", alpha: 2 });
    const [told, read] = of(masked, "comp.1");
    assert.deepEqual([told.how, told.positions], ["told their ids", masked.parties["comp.1"].kinds.id.positions]);
    assert.deepEqual(
      [read.how, read.effort, read.evidence],
      ["joint decoding of its rows", "minutes", "experiments/FINDINGS.md, section 11"],
    );
  });

  for (const preset of ["hidden", "smpc"])
    it(`is nothing but lengths with ${preset}, for each of them`, async () => {
      const {
        conclusions: concluded,
        isHidden: hidden,
        hiding,
      } = await record({ preset, parties: 3, dealer: "dealer" });
      const alone = concluded.filter(({ together }) => together === null);
      assert.deepEqual(
        alone.map(({ parties }) => parties),
        [["smpc.0"], ["smpc.1"], ["smpc.2"], ["dealer"]],
      );
      for (const { findings } of alone) assert.deepEqual(findings, []);
      assert.deepEqual([hidden, hiding], [true, null]);
      const colluding = concluded.filter(({ together }) => together === "collusion").map(({ parties }) => parties);
      // Of delegated layers nothing is dealt.
      const dealt = preset === "smpc" ? [["dealer", "smpc.0"]] : [];
      assert.deepEqual(colluding, [["smpc.0", "smpc.1", "smpc.2"], ...dealt]);
    });

  it("leaves a CompNode that got nothing with lengths", async () => {
    const { conclusions: concluded } = await record({ preset: "cascade", alpha: 8, c: 4, maxTokens: 1 });
    const last = concluded.find(({ parties }) => parties[0] === "comp.7")!;
    assert.deepEqual(last.findings, []);
  });

  it("doesn't count public positions as found", async () => {
    const public_ = await record({ preset: "cascade", alpha: 2, publicPrefix: "It was late." });
    const { publicPrefixLength } = public_;
    assert.ok(publicPrefixLength > 0);
    for (const { findings } of public_.conclusions)
      for (const { positions } of findings) assert.ok(positions.every((position) => position >= publicPrefixLength));
    assert.equal(of(public_, "comp.0").at(-1)?.positions[0], publicPrefixLength);
  });
});

describe("conclusions", () => {
  let model: Model;
  const opened: Model[] = [];
  const open = async (where: string): Promise<Model> => {
    const found = await openModel(where);
    opened.push(found);
    return found;
  };
  before(async () => {
    model = await open(DEFAULT_MODEL);
  });
  after(() => Promise.all(opened.map((each) => each.close())));

  const ofView = (party: string, seen: Exposure, on: Model = model): Conclusion["findings"] => {
    const config = parseRunConfig({ smpcLayers: "none", maxTokens: 1 });
    const session = { description: describeSession(config, on, 40), model: on, steps: 1 };
    const view: PartyExposure = { party, exposure: seen };
    const concluded = conclusions(session, [view]);
    assert.equal(isHidden(concluded), concluded[0].findings.length === 0);
    return concluded[0].findings;
  };

  it("say so of an SMPC party that saw what it should not", () => {
    assert.deepEqual(ofView("smpc.0", exposure(["share", "masked"], [0, 1, 2], [0])), []);
    for (const kind of ["id", "row", "q", "k", "v", "attended", "logits", "token"] as const)
      assert.deepEqual(
        ofView("smpc.0", exposure(["share", kind], [2], [1]))
          .at(0)
          ?.positions.at(-1),
        2,
        kind,
      );
    assert.equal(ofView("smpc.1", exposure(["unscheduled"], [], [0]))[0].effort, "not measured");
  });

  it("reach back as far as windows do, a layer after the other", async () => {
    const windowed = await open(path.join(FIXTURES, "mistral-window"));
    const [window] = windowed.spec.windows;
    assert.ok(window !== null && windowed.spec.windows.every((each) => each === window));
    for (const layer of [1, 2]) {
      const [{ positions }] = ofView("comp.0", exposure(["row"], [30], [layer]), windowed);
      assert.deepEqual(positions, upTo(30, Math.max(0, 30 - layer * (window - 1))));
    }
    assert.deepEqual(ofView("comp.0", exposure(["row"], [30], [1]))[0].positions, upTo(30));
  });

  it("name rank matching only where a head is wider than the AttnNodes' clusters are long", () => {
    const config = parseRunConfig({ smpcLayers: "none", maxTokens: 1, c: 64 });
    const session = { description: describeSession(config, model, 200), model, steps: 1 };
    const seen = exposure(["row", "partial"], [0, 1], [1]);
    assert.ok(model.spec.headDim < 64);
    assert.equal(conclusions(session, [{ party: "comp.0", exposure: seen }])[0].findings[0].effort, "minutes");
    assert.equal(ofView("comp.0", seen)[0].effort, "seconds");
  });

  it("invert the projections that are as wide as a row, and no others", async () => {
    const seen = exposure(["q"], [5], [1]);
    for (const name of ["llama-gqa", "gpt2"]) {
      const other = await open(path.join(FIXTURES, name));
      const { heads, headDim, width } = other.spec;
      assert.ok(heads * headDim >= width);
      assert.match(ofView("attn.0.0", seen, other)[1].how, /^inverting its q rows/);
      const narrow: Model = { ...other, spec: { ...other.spec, heads: 1, kvHeads: 1 } };
      assert.equal(ofView("attn.0.0", seen, narrow).length, 1);
    }
  });

  it("decode keys and values of layers after the first jointly, not of the first, and not of an encoder", async () => {
    const how = (kinds: Parameters<typeof exposure>[0], layer: number, on: Model = model): string[] =>
      ofView("attn.0.0", exposure(kinds, [5], [layer]), on).map((finding) => finding.how);
    const decoded = "joint decoding of its key and value rows";
    assert.ok(how(["k", "v"], 1).includes(decoded));
    assert.ok(!how(["k", "v"], 0).includes(decoded));
    assert.ok(!how(["k"], 1).includes(decoded));
    assert.ok(!how(["k", "v"], 1, await open(path.join(FIXTURES, "bert"))).includes(decoded));
  });

  it("join the parties of one machine, but not the client's", () => {
    const config = parseRunConfig({ smpcLayers: "none", maxTokens: 1 });
    const session = { description: describeSession(config, model, 9), model, steps: 1 };
    const seen = exposure(["row"], [3], [1]);
    const machines = [
      { parties: ["comp.0", "comp.1"], exposure: seen },
      { parties: ["client", "comp.2"], exposure: seen },
    ];
    const concluded = conclusions(session, [], machines);
    assert.deepEqual(
      concluded.map(({ parties, together }) => [parties, together]),
      [[["comp.0", "comp.1"], "machine"]],
    );
    assert.equal(isHidden(concluded), false);
  });
});

describe("what hiding it would cost", () => {
  for (const setting of [
    {},
    { parties: 3, dealer: "dealer" },
    { smpcPrecision: "default", merge: "masked", wire: "float16" },
    { maxTokens: 1, head: "compnode" },
    { publicPrefix: "It was late.", maxTokens: 11 },
  ])
    it(`is what the hidden run costs, with ${JSON.stringify(setting)}`, async () => {
      const { hiding, isHidden: was } = await record({ preset: "cascade", alpha: 2, ...setting });
      const hidden = await record({ ...setting, preset: "hidden", head: "client", merge: "plain" });
      assert.deepEqual([was, hidden.isHidden], [false, true]);
      assert.deepEqual(hiding, { preset: "hidden", payloadBytes: hidden.payloadBytes, rounds: hidden.rounds });
    });
});
