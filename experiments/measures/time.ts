import { z } from "zod";
import { bootstrapInterval } from "../lab/statistics/bootstrap.ts";
import { DelayedDeployment } from "../bench/smpc/delayed-deployment.ts";
import type { TimedGeneration } from "../bench/smpc/timed-generation.ts";
import type { Measure } from "../lab/measure.ts";

/** Wall time and CPU time of sessions between processes, behind delayed lines where the question has networks. */
export const time: Measure = {
  name: "time",
  says: "seconds to the first token and for each later one, and CPU seconds, between processes of this machine, behind delayed lines where there is a network",
  version: 1,
  options: z.strictObject({}),
  isOfNetwork: true,
  seconds: (prompts, repeats) => 5 + 3 * prompts * (repeats + 1),
  async run({ question, config, prompts, network, report }) {
    const distances =
      network === null ? null : { clientMs: network.rttMs / 2, serversMs: (network.serversRttMs ?? network.rttMs) / 2 };
    const taken: TimedGeneration[] = [];
    for (const [at, prompt] of prompts.entries()) {
      report(`prompt ${at + 1} of ${prompts.length}`);
      const { place: _place, ...elsewhere } = config;
      const deployment = await DelayedDeployment.start({ ...elsewhere, place: "processes" }, prompt, distances);
      try {
        // The first one starts caches, and isn't counted.
        for (let run = -1; run < question.repeats; run++) {
          const generation = await deployment.generate();
          if (run >= 0) taken.push(generation);
        }
      } finally {
        await deployment.close();
      }
    }
    const of = (figure: (one: TimedGeneration) => number): ReturnType<typeof bootstrapInterval> =>
      bootstrapInterval(taken.map(figure), question.seed);
    return {
      source: "run",
      figures: {
        firstTokenSeconds: of((one) => one.firstTokenSeconds),
        secondsPerToken: of((one) => one.secondsPerToken),
        clientCpuSeconds: of((one) => one.clientCpuSeconds),
        allCpuSeconds: of((one) => one.allCpuSeconds),
      },
    };
  },
};
