/** A description that asks for more than a plan may have is refused when the session opens, by the parties that would have to pay. */
import { allByParties } from "../../../protocols/smpc/lowering/evaluators.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { placementOf, type SmpcChoice } from "../../../protocols/fusion/session/smpc-choice.ts";
import type { SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { describeSession } from "../cascade/whole-model.ts";
import { MAX_REFUSAL_BYTES, MAX_REFUSAL_CPU_MS } from "../../layers/refusal.ts";
import { nextAbort } from "./next-abort.ts";
import { fourLayers, rangesOfAll } from "./smpc-session-run.ts";

const ONE: ShardingRule = { rule: "round-robin", parts: 1 };
const PROMPT = 5;
const SESSION = 7;

describe("an SMPC party and the dealer refuse a session", async () => {
  const model = fourLayers();
  const engine = await referenceEngine(model);
  const plain = describeSession(model, { r: ONE, s: ONE }, PROMPT, { wire: engine.word });
  const choice: SmpcChoice = {
    layers: [0],
    ...allByParties(1),
    parties: 2,
    dealer: "dealer",
    head: false,
    precision: "fine",
    trade: "standard",
  };
  const smpc = await placementOf(plain, model, choice, await rangesOfAll(model));

  const hostile: readonly (readonly [string, string, Partial<SiteRange>, RegExp])[] = [
    [
      "mean squares twelve powers of ten apart",
      "layers.0.norm.0",
      { maxAbs: 1e6, minSquare: 1e-3, maxSquare: 1e9 },
      /: layers\.0\.norm\.0, mean squares .*: expected a wire of at most 24 bits for a table, got \d+; .* leave layer 0 in Cascade/,
    ],
    [
      "activations to 1e30",
      "layers.0.activation.0",
      { maxAbs: 1e30 },
      /: layers\.0\.activation\.0, .*: expected a wire of at most 24 bits for a table, got \d+; .* leave layer 0/,
    ],
    [
      "logits to 1e6",
      "layers.0.logits.0",
      { maxAbs: 1e6, low: -1e6, high: 1e6, spread: 2e6 },
      /: layers\.0\.logits\.0, .*: expected logits whose exponentials fit into .*; .* leave layer 0/,
    ],
  ];
  for (const [name, site, range, reason] of hostile)
    for (const party of ["smpc.0", "dealer"])
      it(`of ${name}, at ${party}, before it takes memory for it`, async () => {
        assert.ok(site in smpc.ranges.sites, `${site} is one of the layer's`);
        const sites = { ...smpc.ranges.sites, [site]: { ...smpc.ranges.sites[site], ...range } };
        const description = { ...plain, smpc: { ...smpc, ranges: { ...smpc.ranges, sites } } };
        const shape = { alpha: 1, beta: 1, parties: 2, dealer: true };
        const deployment = await inProcessDeployment(model, engine, shape);
        try {
          const peakBefore = process.resourceUsage().maxRSS * 1024;
          const cpuBefore = process.cpuUsage();
          const aborted = nextAbort(deployment.client, SESSION);
          await deployment.client.sendControl(party, { type: "session-open", session: SESSION, description });
          assert.match(await aborted, reason);
          const cpu = process.cpuUsage(cpuBefore);
          const tookMs = (cpu.user + cpu.system) / 1000;
          const grown = process.resourceUsage().maxRSS * 1024 - peakBefore;
          assert.ok(tookMs < MAX_REFUSAL_CPU_MS, `expected less than ${MAX_REFUSAL_CPU_MS} ms of CPU, got ${tookMs}`);
          assert.ok(grown < MAX_REFUSAL_BYTES, `expected less than ${MAX_REFUSAL_BYTES} bytes more, got ${grown}`);
        } finally {
          await deployment.close();
        }
      });
});
