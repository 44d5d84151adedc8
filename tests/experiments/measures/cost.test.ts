import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cost } from "../../../experiments/measures/cost.ts";
import { smallLab } from "./small-lab.ts";

const SECRET = 10;
const STEPS = 3;

describe("the measure cost", () => {
  it("counts what is declared, in Cascade and delegated", async () => {
    for (const setting of [{ alpha: 2, placement: "all=cascade" }, { placement: "all=delegated" }]) {
      const { figures } = await cost.run(await smallLab(setting), {});
      assert.equal(figures.asDeclared, true);
      assert.equal(figures.steps, STEPS);
      const payload = Number(figures.payloadBytes);
      assert.equal(Number(figures.payloadBytesAToken), payload / (SECRET + STEPS - 1));
      assert.equal(payload, Number(figures.onlineBytes) + Number(figures.dealtBytes) + Number(figures.aheadBytes));
      assert.ok((setting.placement === "all=delegated") === Number(figures.aheadBytes) > 0);
    }
  });
});
