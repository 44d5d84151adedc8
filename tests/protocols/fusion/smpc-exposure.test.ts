/** Who sees what when layers run under SMPC: by the ledgers, by recorded views, and joined over roles that share a machine. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { readSafetensorsFile } from "../../../layers/weights/safetensors-file.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { joinExposures, machineExposures, opensShares } from "../../../protocols/fusion/record/join-exposures.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import type { ViewIndex } from "../../../protocols/fusion/record/view-recorder.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { hybridGreedy, rangesOfAll, type HybridSetting } from "./smpc-session-run.ts";

const MODEL = randomModel({
  seed: 12,
  layers: 3,
  kvHeads: 1,
  group: 2,
  headDim: 2,
});
const TWO: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const IDS = randomIds(4, 7);
const STEPS = 3;
/** Of the prompt and the tokens that are fed back. */
const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const OWN = [
  [0, 1, 4, 5, 8],
  [2, 3, 6, 7],
];

describe("exposure with layers under SMPC", async () => {
  const scratch = await scratchFolder();
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  let runs = 0;
  const run = async (
    setting: Partial<HybridSetting> & { readonly layers: readonly number[] },
    viewsFolder = path.join(scratch.path, `views-${runs++}`),
  ): Promise<{ of: (party: string) => PartyReport; reports: readonly PartyReport[]; folder: string }> => {
    const { reports } = await hybridGreedy(
      {
        model: MODEL,
        engine,
        r: TWO,
        s: TWO,
        ranges,
        ...setting,
        more: { views: true, ...setting.more },
        options: { viewsFolder, ...setting.options },
      },
      IDS,
      STEPS,
    );
    return { of: (party) => reports.find((report) => report.party === party)!, reports, folder: viewsFolder };
  };

  it("shows no id to any node where layer 0 is under SMPC, and rows only after it", async () => {
    const { of, reports, folder } = await run({ layers: [0] });
    for (const { party, exposure } of reports) {
      assert.equal(exposure.kinds.id, undefined, party);
      assert.equal(exposure.kinds.unscheduled, undefined, party);
      assert.ok(!(await view(folder, party)).entries.some(({ kind }) => kind === "ids"), party);
    }
    for (const [i, own] of OWN.entries()) {
      const { exposure } = of(`comp.${i}`);
      assert.deepEqual(exposure.positions, own);
      assert.deepEqual(exposure.kinds.row, { layers: [1, 2, 3], positions: own });
      assert.deepEqual(
        exposure.kinds.share,
        { layers: [1], positions: own },
        "every party's shares of its own rows alone",
      );
    }
    for (const party of ["smpc.0", "smpc.1"]) {
      const { exposure } = of(party);
      assert.deepEqual(Object.keys(exposure.kinds).sort(), ["masked", "share"]);
      assert.deepEqual(exposure.kinds.share, { layers: [0], positions: ALL });
      assert.deepEqual(exposure.kinds.masked, { layers: [0], positions: ALL });
      assert.deepEqual(exposure.positions, [], "no row in the clear");
    }
  });

  it("shows CompNodes no rows inside a segment in the middle, and hands each its own again", async () => {
    const { of } = await run({ layers: [1], dealer: "dealer", parties: 3 });
    const { exposure } = of("comp.1");
    assert.deepEqual(exposure.kinds.id?.positions, OWN[1]);
    assert.deepEqual(exposure.kinds.q?.layers, [0, 2]);
    assert.deepEqual(exposure.kinds.share, { layers: [2], positions: OWN[1] });
    assert.deepEqual(of("smpc.2").exposure.kinds.share, { layers: [1], positions: ALL });
    assert.deepEqual(of("dealer").exposure.kinds, {}, "the dealer receives nothing");
    assert.deepEqual(of("attn.0.0").exposure.kinds.q?.layers, [0, 2]);
  });

  it("needs no Cascade node where all layers are under SMPC", async () => {
    const { reports } = await run({ layers: [0, 1, 2] });
    assert.deepEqual(
      reports.map(({ party }) => party),
      ["smpc.0", "smpc.1"],
    );
  });

  it("is in recorded views what the ledger says", async () => {
    const { reports, folder } = await run({ layers: [0, 2], more: { head: "compnode", sampling: GREEDY } });
    for (const { party, exposure } of reports) {
      const { entries, shapes } = await view(folder, party);
      assert.deepEqual(
        entries.map(({ shape }) => shape),
        shapes,
      );
      const kindOf: Record<string, string> = { shares: "share", handover: "share", opened: "masked" };
      for (const [role, kind] of Object.entries(kindOf)) {
        const positions = new Set(
          entries.filter((entry) => kindOf[entry.kind] === kind).flatMap((entry) => entry.positions ?? [NaN]),
        );
        const noted = exposure.kinds[kind as "share"]?.positions ?? [];
        assert.deepEqual(
          [...positions].sort((a, b) => a - b),
          [...noted],
          `${party} ${role}`,
        );
      }
    }
    const index = (await view(folder, "smpc.1")).entries;
    assert.equal(index.filter(({ kind }) => kind === "seed").length, 1);
    assert.ok(index.filter(({ kind }) => kind === "dealt").length >= STEPS * 2, "the last party is dealt words");
    assert.deepEqual(
      (await view(folder, "smpc.0")).entries.filter(({ kind }) => kind === "dealt"),
      [],
    );
  });

  it("tells of a party that sends its shares where they don't belong", async () => {
    let done = false;
    const wrap = (endpoint: Endpoint): Endpoint =>
      endpoint.party !== "smpc.0"
        ? endpoint
        : withSend(endpoint, async (peer, key, tensor) => {
            if (!done && key.role === "handover") {
              done = true;
              // The rows of comp.0 in a step to comp.1, which has none in it.
              await endpoint.send("comp.0", { ...key, layer: 2 }, tensor);
            }
            await endpoint.send(peer, key, tensor);
          });
    const { of } = await run({ layers: [0], options: { wrap } });
    assert.deepEqual(of("comp.0").exposure.kinds.unscheduled, { layers: [2], positions: [] });
  });

  it("joins roles that share a machine", async () => {
    const { of, reports } = await run({ layers: [0], parties: 3, dealer: "dealer" });
    const joined = (...names: string[]) => joinExposures(names.map(of), 3);
    assert.deepEqual(joined("comp.0", "comp.1").positions, ALL);
    assert.equal(joined("comp.0", "comp.1").maxCluster, ALL.length);
    assert.deepEqual(joined("comp.0").positions, of("comp.0").exposure.positions);
    assert.deepEqual(joined("smpc.0", "smpc.2").positions, [], "two of three parties open nothing");
    for (const names of [
      ["smpc.0", "smpc.1", "smpc.2"],
      ["smpc.1", "dealer"],
    ]) {
      assert.deepEqual(joined(...names).kinds.row, { layers: [0], positions: ALL }, names.join());
      assert.equal(opensShares(names, 3), true);
    }
    assert.equal(opensShares(["comp.0", "dealer"], 3), false);
    const machines = { "comp.0": "a", "attn.0.0": "a", "comp.1": "b", "smpc.0": "b", "smpc.1": "c", client: "d" };
    const byMachine = machineExposures(reports, machines, 3);
    assert.deepEqual(Object.keys(byMachine), ["a", "b"]);
    assert.deepEqual(byMachine.b.parties, ["comp.1", "smpc.0"]);
    assert.deepEqual(byMachine.b.positions, OWN[1], "a share adds no position in the clear");
  });
});

const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0 };

/** The recorded view of a party in the only session of a folder, and the shapes that its file has. */
async function view(
  folder: string,
  party: string,
): Promise<{ entries: ViewIndex["entries"]; shapes: readonly (readonly number[])[] }> {
  const name = (await readdir(folder)).find((file) => file.endsWith(`-${party}.json`))!;
  const { entries } = JSON.parse(await readFile(path.join(folder, name), "utf8")) as ViewIndex;
  const tensors = await readSafetensorsFile(path.join(folder, name.replace(/json$/, "safetensors")));
  return { entries, shapes: entries.map(({ tensor }) => tensors.get(tensor)!.shape) };
}
