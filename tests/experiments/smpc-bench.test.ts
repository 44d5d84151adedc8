/** `weir bench smpc`: bytes and rounds as declared, rows near float64, for any number of parties, in memory and in processes. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { benchSmpc, type SmpcBenchOptions } from "../../experiments/bench/smpc/bench.ts";
import { smpcBenchRecord, type SmpcBenchRecord } from "../../experiments/bench/smpc/record.ts";
import { MODELS_FOLDER } from "../layers/golden-models.ts";

const ROWS = 6;
const run = async (more: Partial<SmpcBenchOptions>): Promise<SmpcBenchRecord> =>
  smpcBenchRecord.parse(
    await benchSmpc(
      {
        run: { kind: "synthetic", shape: "smollm2", layers: 1 },
        n: ROWS,
        parties: 2,
        placement: "smpc",
        precision: "default",
        trade: "standard",
        widths: "trained",
        place: "memory",
        rounds: 1,
        warmups: 0,
        ...more,
      },
      () => {},
    ),
  );

/** One layer, two parties, in memory: what the others are compared with. */
let known: Promise<SmpcBenchRecord> | null = null;
const plainRun = (): Promise<SmpcBenchRecord> => (known ??= run({}));

describe("bench of layers under SMPC", () => {
  it("counts what the plan declares, with two to four parties", async () => {
    const two = await plainRun();
    assert.ok(two.maxAbsError > 0 && two.maxAbsError < 1e-2, `${two.maxAbsError}`);
    assert.ok(two.meanAbsError < two.maxAbsError / 2);
    assert.equal(two.failedRows, 0);
    for (const parties of [3, 4]) {
      const more = await run({ parties });
      assert.equal(more.onlineBytes, (two.onlineBytes * parties * (parties - 1)) / 2);
      assert.equal(more.rounds, two.rounds);
      assert.equal(more.dealtBytes, two.dealtBytes);
      assert.ok(more.maxAbsError < 1e-2, `${parties} parties: ${more.maxAbsError}`);
      assert.equal(more.residentBytes.length, parties);
    }
  });

  it("sends the same from processes, run after run", async () => {
    const [memory, processes] = [await plainRun(), await run({ place: "processes", rounds: 2 })];
    for (const field of ["onlineBytes", "dealtBytes", "rounds", "inputBytes", "outputBytes"] as const)
      assert.equal(processes[field], memory[field], field);
    assert.equal(processes.secondsOfRuns.length, 2);
    assert.ok(processes.maxAbsError < 1e-2);
  });

  it("lets the client evaluate: all that is not linear with four round trips a layer, or attention alone", async () => {
    const [smpc, layers] = [await plainRun(), 2];
    const delegated = await run({
      run: { kind: "synthetic", shape: "smollm2", layers },
      placement: "delegated",
      place: "processes",
    });
    assert.deepEqual([delegated.onlineBytes, delegated.dealtBytes, delegated.rounds], [0, 0, 0]);
    assert.equal(delegated.clientMessages, 8 * layers);
    assert.ok(delegated.aheadBytes > 0 && delegated.takenBytes > delegated.givenBytes);
    assert.ok(delegated.clientCpuSeconds! > 0);
    assert.ok(delegated.maxAbsError > 0 && delegated.maxAbsError < 4e-3, `${delegated.maxAbsError}`);
    const attention = await run({ placement: "smpc:attention" });
    assert.ok(attention.rounds < smpc.rounds && attention.dealtBytes < smpc.dealtBytes);
    assert.ok(attention.takenBytes > 0 && attention.aheadBytes === 0);
    assert.ok(attention.maxAbsError < 1e-2, `${attention.maxAbsError}`);
    const three = await run({ placement: "smpc:attention", parties: 3 });
    assert.equal(three.clientMessages, attention.clientMessages);
    assert.equal(three.takenBytes, attention.takenBytes);
  });

  it("chains layers, and cuts more finely where it is asked to", async () => {
    const coarse = await plainRun();
    const fine = await run({ run: { kind: "synthetic", shape: "smollm2", layers: 2 }, precision: "fine" });
    assert.equal(fine.layers, 2);
    assert.ok(fine.meanAbsError < coarse.meanAbsError / 2, `${fine.meanAbsError}, ${coarse.meanAbsError}`);
    assert.equal(fine.cascadePayloadBytes, 2 * coarse.cascadePayloadBytes);
    assert.ok(fine.onlineBytes > 2 * coarse.onlineBytes);
  });

  it("runs a layer of a model on a text", async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), "weir-bench-"));
    t.after(() => rm(folder, { recursive: true }));
    const text = path.join(folder, "prompt.txt");
    await writeFile(text, "The senate met in the old hall, and nobody could hear the speaker.");
    const model = path.join(MODELS_FOLDER, "..", "..", "..", "models", "default");
    const record = await run({ run: { kind: "model", path: model, layer: 1 }, text, widths: "observed" });
    assert.equal(record.n, ROWS);
    assert.match(record.shape, /^layer 1 of /);
    assert.ok(record.maxAbsError < 2e-2 * Math.max(1, record.maxAbsOutput), `${record.maxAbsError}`);
    await assert.rejects(
      run({ run: { kind: "model", path: model, layer: 99 }, text }),
      /layer: expected one of 0 to \d+, got 99/,
    );
    await assert.rejects(run({ run: { kind: "model", path: model, layer: 0 } }), /text: expected a file/);
  });

  it("leaves no process where the parties can't link", async () => {
    const between = (): Promise<string> => Promise.reject(new Error("no way between them"));
    await assert.rejects(run({ place: "processes", between }), /no way between them/);
  });
});
