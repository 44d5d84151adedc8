import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { time } from "../../../experiments/measures/time.ts";
import type { Figures } from "../../../experiments/lab/experiment-record.ts";
import { smallLab } from "./small-lab.ts";

const mean = (figure: Figures[string]): number => (figure as { mean: number }).mean;
const RTT_MS = 60;

describe("the measure time", () => {
  it("runs between processes, and waits for a delayed line", async () => {
    const { figures } = await time.run(
      await smallLab({ alpha: 1, placement: "all=cascade" }, { network: { rttMs: RTT_MS, serversRttMs: 0 } }),
      {},
    );
    // The client's ids go out, rows come back.
    assert.ok(mean(figures.secondsPerToken) >= RTT_MS / 1000);
    assert.ok(mean(figures.firstTokenSeconds) >= RTT_MS / 1000);
    assert.ok(mean(figures.allCpuSeconds) > 0);
  });
});
