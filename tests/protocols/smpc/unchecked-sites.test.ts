/** Which sites a record lists as not checked: those with an observed range that no check and no receiver looks at. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { uncheckedSites } from "../../../protocols/smpc/plan/unchecked-sites.ts";
import { tinyLayer } from "./tiny-plan.ts";

describe("sites that nothing checks", () => {
  for (const [kind, unchecked] of [
    ["llama", ["layers.0.activation.0", "layers.0.operand.0", "layers.0.operand.1"]],
    ["gpt2", ["layers.0.activation.0"]],
  ] as const)
    it(`are those of activations and products (${kind})`, () => {
      const plan = tinyLayer(kind, "seed").plan(3, 0);
      assert.deepEqual(uncheckedSites(plan).sort(), [...unchecked].sort());
    });

  it("are none where every range is certified", () => {
    const plan = tinyLayer("llama", "seed").plan(3, 0);
    const sites = plan.sites.map((site) => ({ ...site, range: "certified" as const }));
    assert.deepEqual(uncheckedSites({ ...plan, sites }), []);
  });
});
