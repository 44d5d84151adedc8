import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leak } from "../../../experiments/measures/leak.ts";
import type { Figures } from "../../../experiments/lab/experiment-record.ts";
import { smallLab } from "./small-lab.ts";

const mean = (figure: Figures[string]): number => (figure as { mean: number }).mean;

describe("the measure leak", () => {
  it("reads rows without a gap, with controls that hold", async () => {
    const lab = await smallLab({ alpha: 1, smpcLayers: "first:1" }, { count: 2 });
    const training = { file: lab.question.workload.file, notSources: [] };
    const measured = await leak.run(
      lab,
      leak.options.parse({ attack: "vocab-match", layer: 1, calibration: 1, training, metric: "wholeAccuracy" }),
    );
    assert.equal(measured.void, undefined);
    assert.equal(measured.verdict, "breaks");
    assert.equal(mean(measured.figures.wholeAccuracy), 1);
    assert.equal(measured.figures.certifiedWrong, 0);
  });
});
