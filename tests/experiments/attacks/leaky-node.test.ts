/**
 * A node that leaks by mistake, in code that no recorder knows: the ledger names it, and an attack reads the tokens that it gave away.
 * The recorder sits at the transport, so the leak is in the view of who received it.
 */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { openModel } from "../../../layers/model.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { describeSession } from "../../../protocols/fusion/session/describe-session.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { scheduleOf } from "../../../protocols/fusion/session/session-description.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { kvMatch } from "../../../experiments/attacks/kv-match/attack.ts";
import { RecordedView } from "../../../experiments/lab/views/recorded-view.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const TEXT = "The people of the United States have been free for many years.";

test("a node that sends rows on is caught by the ledger, and by an attack on the view of who got them", async () => {
  const scratch = await scratchFolder();
  const model = await openModel(DEFAULT_MODEL);
  const engine = await onnxEngine(model, { threads: 1 });
  const tokenizer = await openTokenizer(DEFAULT_MODEL);
  const ids = tokenizer.encode(TEXT);
  let leaked = false;
  // AttnNode (0, 0) has the query rows of CompNode 0; the one line too many sends them to CompNode 1.
  const wrap = (endpoint: Endpoint): Endpoint => {
    if (endpoint.party !== "attn.0.0") return endpoint;
    return new Proxy(endpoint, {
      get(target, name): unknown {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "receive") return value.bind(target) as unknown;
        return async (...given: Parameters<Endpoint["receive"]>) => {
          const tensor = await target.receive(...given);
          const [, key] = given;
          if (key.role === "q" && key.layer === 0 && !leaked) {
            leaked = true;
            await target.send("comp.1", { ...key, role: "hidden", layer: -1 }, tensor);
          }
          return tensor;
        };
      },
    });
  };
  const config = parseRunConfig({ alpha: 2, c: 1, place: "memory", views: scratch.path });
  const deployment = await inProcessDeployment(
    model,
    engine,
    { alpha: 2, beta: 2 },
    { viewsFolder: scratch.path, wrap },
  );
  try {
    const description = describeSession(config, model, ids.length, { maxNewTokens: 1 });
    const session = await new Client(deployment.client, model, deployment.nodes).open(description);
    await session.step(0, ids);
    const reports = await session.close();
    assert.ok(leaked);

    const { exposure } = reports.find(({ party }) => party === "comp.1")!;
    assert.deepEqual(exposure.kinds.unscheduled?.layers, [-1]);
    for (const { party, exposure: other } of reports)
      if (party !== "comp.1") assert.equal(other.kinds.unscheduled, undefined, party);

    const file = (await readdir(scratch.path)).find((name) => name.endsWith("-comp.1.json"))!;
    const view = await RecordedView.read(scratch.path, "comp.1", Number(file.split("-")[0]));
    const foreign = view.tensors.filter(({ positions }) => positions === null);
    assert.equal(foreign.length, 1);
    // The attacker takes them for what their width allows: query rows, of positions that it doesn't know and so numbers as CompNode 0's.
    const hidden = ids.map((_, t) => t).filter((t) => t % 2 === 0);
    const taken = new RecordedView(
      ["comp.1"],
      foreign.map((tensor) => ({ ...tensor, kind: "q", layer: 0, positions: hidden })),
    );
    const preparation = {
      model,
      engine,
      encode: (text: string) => tokenizer.encode(text),
      training: { name: "one sentence", documents: [TEXT.repeat(40)] },
      layer: 0,
      calibration: [],
      seed: 1,
      report: () => {},
    };
    const attack = await kvMatch.prepare(
      preparation,
      kvMatch.parseOptions({ trainingTokens: 400, probes: ["nearest-cosine"] }),
    );
    try {
      const known = { model, engine, description, schedule: scheduleOf(description, model.spec, model.program) };
      const budget = { forwardPasses: 1, seed: 1 };
      const { guesses } = await attack.recover(taken, known, budget);
      for (const t of hidden) assert.equal(guesses.get(t)?.[0], ids[t], `token ${t} of CompNode 0`);
      const without = await attack.recover(
        view.filter(({ positions }) => positions !== null),
        known,
        budget,
      );
      assert.ok(hidden.every((t) => without.guesses.get(t)?.[0] !== ids[t]));
    } finally {
      await attack.close();
    }
  } finally {
    await deployment.close();
    await engine.close();
    await model.close();
  }
});
