import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exposure } from "../../../experiments/measures/exposure.ts";
import { smallLab } from "./small-lab.ts";

describe("the measure exposure", () => {
  it("says that a CompNode concludes tokens, and that a server of delegated layers concludes none", async () => {
    const cascade = await exposure.run(await smallLab({ alpha: 2, c: 1, placement: "all=cascade" }), {});
    assert.equal(cascade.verdict, "concluded");
    assert.match(JSON.stringify(cascade.figures.concludedBy), /^"(comp|attn)\./);
    assert.ok(Number(cascade.figures.concludedTokens) >= Number(cascade.figures.secretTokens) - 1);
    assert.deepEqual([cascade.figures.compNodeMinGap, cascade.figures.compNodeMaxCluster], [2, 1]);
    const hidden = await exposure.run(await smallLab({ placement: "all=delegated" }), {});
    assert.equal(hidden.verdict, "hidden");
    assert.deepEqual([hidden.figures.concludedTokens, hidden.figures.concludedBy], [0, null]);
    assert.equal(hidden.figures.compNodePositions, 0);
  });
});
