/** Recorded views against the exposure ledger: the same positions, layers and kinds, and a row too many is found. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, symlink } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { readSafetensorsFile } from "../../../layers/weights/safetensors-file.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import { shardingFrom, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { INFERRED, type Exposure, type ExposureKind } from "../../../protocols/fusion/record/ledger.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { viewName, type ViewEntry, type ViewIndex } from "../../../protocols/fusion/record/view-recorder.ts";
import type { Endpoint, MessageKey, WireTensor } from "../../../protocols/wire/endpoint.ts";
import { NO_FULL_DEVICE } from "../../layers/full-device.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { anyRule } from "../cascade/arbitraries.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { describeSession, shardedGreedy } from "../cascade/whole-model.ts";

const MODEL = randomModel({
  seed: 8,
  layers: 2,
  kvHeads: 1,
  group: 2,
  headDim: 2,
  window: 4,
});
const TWO: ShardingRule = { rule: "round-robin", parts: 2 };

describe("recorded views", async () => {
  const scratch = await scratchFolder();
  let runs = 0;
  /** A folder that isn't there yet. */
  const folder = (): string => path.join(scratch.path, `views-${runs++}`);

  it("hold what the ledger says, no more and no less, for any shardings", async () => {
    const length = fc.integer({ min: 1, max: 10 });
    const head = fc.constantFrom("client" as const, "compnode" as const);
    await fc.assert(
      fc.asyncProperty(
        anyRule,
        anyRule,
        length,
        fc.integer({ min: 1, max: 4 }),
        head,
        fc.boolean(),
        async (r, s, n, steps, where, wanted) => {
          const at = folder();
          const masked = wanted && shardingFrom(s).parts > 1;
          for (const { party, exposure } of await run({ r, s }, n, steps, at, { head: where, masked })) {
            const { entries, shapes } = await viewOf(at, party);
            assert.deepEqual(misfits(entries), [], party);
            assert.deepEqual(
              entries.map(({ shape }) => shape),
              shapes,
              party,
            );
            const seen = [...seenBy(entries)].sort();
            assert.deepEqual(seen, [...noted(exposure)].sort(), party);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it("aren't written where the session doesn't ask for them, though the nodes have a folder", async () => {
    const at = folder();
    await run({ r: TWO, s: TWO }, 6, 2, at, { views: false });
    assert.equal(existsSync(at), false);
  });

  it("are the user's alone", { skip: process.getuid === undefined }, async () => {
    const at = folder();
    await run({ r: TWO, s: TWO }, 4, 1, at);
    const modes = async (where: string): Promise<number> => (await stat(where)).mode & 0o777;
    assert.equal(await modes(at), 0o700);
    for (const file of await readdir(at)) assert.equal(await modes(path.join(at, file)), 0o600, file);
  });

  it("show a message that no schedule knows, by its missing positions", async () => {
    const at = folder();
    // An AttnNode that hands the query rows of other nodes' positions on to CompNode 1, dressed as rows after the last layer.
    const leak = leaking("attn.0.0", "partial", (endpoint, key, tensor) =>
      endpoint.send("comp.1", { ...key, role: "hidden", layer: -1 }, tensor),
    );
    const reports = await run({ r: TWO, s: TWO }, 6, 1, at, { wrap: leak });
    const { entries } = await viewOf(at, "comp.1");
    const found = misfits(entries);
    assert.deepEqual(
      found.map(({ peer, kind, positions, shape }) => ({ peer, kind, positions, shape })),
      [{ peer: "attn.0.0", kind: "hidden", positions: null, shape: [3, 2 + 4 + 2] }],
    );
    const { exposure } = reports.find(({ party }) => party === "comp.1")!;
    assert.deepEqual(exposure.kinds.unscheduled, { layers: [-1], positions: [] });
    assert.deepEqual(exposure.positions, [1, 3, 5], "the ledger knows no position for it");
    for (const { party } of reports)
      if (party !== "comp.1") assert.deepEqual(misfits((await viewOf(at, party)).entries), [], party);
  });

  it("show a row too many in a message that the schedule knows, and outlive the session that it ends", async () => {
    const at = folder();
    const more: Parameters<typeof leaking>[2] = () => Promise.resolve();
    const leak = leaking("attn.0.1", "partial", more, oneRowMore);
    await assert.rejects(
      run({ r: TWO, s: TWO }, 6, 1, at, { wrap: leak }),
      /comp\.0: .*expected.*\[3, 8\] float64, got \[4, 8\]/,
    );
    const { entries } = await viewOf(at, "comp.0");
    assert.deepEqual(
      (await readdir(at)).filter((name) => name.endsWith(".partial")),
      [],
    );
    const [found, ...others] = misfits(entries);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [found.peer, found.kind, found.positions, found.shape],
      ["attn.0.1", "partial", [0, 2, 4], [4, 8]],
    );
  });

  for (const [what, file] of [
    ["tensors", "7-comp.0.safetensors.words8.partial"],
    ["index", "7-comp.0.json"],
  ] as const)
    it(
      `end the session with the reason and leave nothing where the disk is full: ${what}`,
      { skip: NO_FULL_DEVICE },
      async () => {
        const at = folder();
        await mkdir(at);
        await symlink("/dev/full", path.join(at, file));
        const engine = await referenceEngine(MODEL);
        const deployment = await inProcessDeployment(MODEL, engine, { alpha: 2, beta: 2 }, { viewsFolder: at });
        try {
          const client = new Client(deployment.client, MODEL, deployment.nodes);
          const more = { wire: "float64", maxNewTokens: 1, views: true } as const;
          const session = await client.open(describeSession(MODEL, { r: TWO, s: TWO }, 4, more), 7);
          await session.step(0, randomIds(3, 4));
          await assert.rejects(
            session.close(),
            /^Error: comp\.0: views .*: expected a folder that can be written, got ENOSPC; free some space/,
          );
        } finally {
          await deployment.close();
        }
        const left = await readdir(at);
        assert.deepEqual(
          left.filter((name) => name.includes("comp.0") || name.endsWith(".partial")),
          [],
        );
        assert.ok(left.includes("7-comp.1.json"), left.join(", "));
      },
    );

  it("are refused before the session begins where the folder can't be written", async () => {
    const file = await scratch.write("file", "not a folder");
    await assert.rejects(
      run({ r: TWO, s: TWO }, 4, 1, path.join(file, "views")),
      /views .*: expected a folder that can be written, got ENOTDIR/,
    );
  });
});

// Helpers

interface Variation {
  readonly head?: "client" | "compnode";
  readonly views?: boolean;
  readonly masked?: boolean;
  readonly wrap?: (endpoint: Endpoint) => Endpoint;
}

async function run(
  shardings: { readonly r: ShardingRule; readonly s: ShardingRule },
  promptLength: number,
  steps: number,
  viewsFolder: string,
  { head = "client", views = true, masked = false, wrap }: Variation = {},
): Promise<readonly PartyReport[]> {
  const engine = await referenceEngine(MODEL);
  const [alpha, beta] = [shardingFrom(shardings.r).parts, shardingFrom(shardings.s).parts];
  const shape = { alpha, beta, attnLinks: masked };
  const deployment = await inProcessDeployment(MODEL, engine, shape, { viewsFolder, wrap });
  const sampling = head === "client" ? null : { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const mergeScales = masked ? await mergeScalesOf(MODEL) : null;
  const more = { wire: "float64", maxNewTokens: steps, head, sampling, views, mergeScales } as const;
  const description = describeSession(MODEL, shardings, promptLength, more);
  try {
    const ids = randomIds(3, promptLength);
    return (await shardedGreedy(MODEL, engine, deployment, description, ids)).reports;
  } finally {
    await deployment.close();
  }
}

/** The index of the only session's view of a party, and the shapes that its file really has. */
async function viewOf(
  folder: string,
  party: string,
): Promise<{ entries: readonly ViewEntry[]; shapes: readonly (readonly number[])[] }> {
  const name = (await readdir(folder)).find((file) => file.endsWith(`-${party}.json`));
  assert.ok(name !== undefined, `expected an index of ${party}`);
  const index = JSON.parse(await readFile(path.join(folder, name), "utf8")) as ViewIndex;
  assert.equal(name, `${viewName(party, index.session)}.json`);
  const tensors = await readSafetensorsFile(path.join(folder, `${viewName(party, index.session)}.safetensors`));
  assert.equal(tensors.size, index.entries.length);
  return { entries: index.entries, shapes: index.entries.map(({ tensor }) => tensors.get(tensor)!.shape) };
}

/** Entries whose rows aren't those that the schedule gives them; a seed that the schedule knows is one row of no position. */
const misfits = (entries: readonly ViewEntry[]): ViewEntry[] =>
  entries.filter(({ kind, positions, shape }) =>
    kind === "pairseed" && positions?.length === 0
      ? shape[0] !== 1
      : shape[0] !== (positions?.length ?? 0) * (kind === "kv" ? 2 : 1),
  );

/** As what a tensor of a view exposes its positions; a seed depends on none. */
function kindsOf({ kind, source }: ViewEntry): readonly ExposureKind[] {
  if (source === "computed") return [kind as ExposureKind];
  return ({ ids: ["id"], kv: ["k", "v"], hidden: ["row"], pairseed: [] } as const)[kind] ?? [kind as ExposureKind];
}

/** Every "kind at layer" and "kind of position" of a view. */
function seenBy(entries: readonly ViewEntry[]): Set<string> {
  const seen = new Set<string>();
  for (const entry of entries)
    for (const kind of kindsOf(entry)) {
      seen.add(`${kind} at layer ${entry.layer}`);
      for (const position of entry.positions ?? []) seen.add(`${kind} of position ${position}`);
    }
  return seen;
}

/** The same of a ledger, less what it infers of other positions. */
function noted({ kinds }: Exposure): Set<string> {
  const seen = new Set<string>();
  for (const [kind, { layers, positions }] of Object.entries(kinds)) {
    if (INFERRED.has(kind as ExposureKind)) continue;
    for (const layer of layers) seen.add(`${kind} at layer ${layer}`);
    for (const position of positions) seen.add(`${kind} of position ${position}`);
  }
  return seen;
}

/** One node that, with its first message of this role, sends `more`, and sends that message itself as `changed`. */
function leaking(
  party: string,
  role: MessageKey["role"],
  more: (endpoint: Endpoint, key: MessageKey, tensor: WireTensor) => Promise<void>,
  changed: (tensor: WireTensor) => WireTensor = (tensor) => tensor,
): (endpoint: Endpoint) => Endpoint {
  let done = false;
  return (endpoint) =>
    endpoint.party !== party
      ? endpoint
      : withSend(endpoint, async (peer, key, tensor) => {
          const now = !done && key.role === role;
          done ||= now;
          if (now) await more(endpoint, key, tensor);
          await endpoint.send(peer, key, now ? changed(tensor) : tensor);
        });
}

/** Its first row again at its end. */
function oneRowMore({ data, shape: [rows, columns] }: WireTensor): WireTensor {
  const longer = new Float64Array((rows + 1) * columns);
  longer.set(data);
  longer.set(data.subarray(0, columns), rows * columns);
  return { data: longer, shape: [rows + 1, columns] };
}
