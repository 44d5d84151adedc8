import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accuracy } from "../../../experiments/measures/accuracy.ts";
import { smallLab } from "./small-lab.ts";

describe("the measure accuracy", () => {
  it("finds Cascade's texts and distributions to be the plain model's, and coarse shares a little off", async () => {
    const clear = await accuracy.run(await smallLab({ alpha: 2, placement: "all=cascade" }, { count: 2 }), {});
    assert.deepEqual([clear.figures.identicalTexts, clear.figures.texts], [2, 2]);
    assert.ok(Number(clear.figures.maxKl) < 1e-8);
    const coarse = await accuracy.run(
      await smallLab({ placement: "all=delegated", smpcPrecision: "default" }, { count: 2 }),
      {},
    );
    assert.ok(Number(coarse.figures.maxKl) > Number(clear.figures.maxKl));
    assert.equal(coarse.figures.failedRows, 0);
  });
});
