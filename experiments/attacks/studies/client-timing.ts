/**
 * Does the time that a client computes between two products tell its prompts apart? What the first server of delegated layers can measure.
 *
 * Two prompts of one length are run in random order, again and again; from half of the sessions the median time between the server's answer
 * and the next words of every product is learnt for each, and the other half is told apart by which medians are nearer. All is in one
 * process, and times are of its CPU: neither lines nor other programs add noise to what a server could see. Controls: one prompt against itself, which nobody can
 * tell apart, and against itself with four tokens less, which has other sizes and must be.
 *
 * npx tsx experiments/attacks/studies/client-timing.ts --prompts 8 --skip 60 --repeats 60 --out records.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { openSession } from "../../../protocols/fusion/client/open-session.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { openDeployment } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { bootstrapInterval, seededChance } from "../../lab/statistics/bootstrap.ts";
import { promptIds } from "../run/texts.ts";
import { StudyOutput } from "./study-output.ts";
import { STUDY_FLAGS, studyFlags } from "./study-flags.ts";

/** Two texts; one text twice; one text, and it again without its first tokens. */
const SHORTER_BY = 4;
const AGAINST = ["another", "itself", "shorter"] as const;
type Against = (typeof AGAINST)[number];

/** Sessions before the first that counts: what runs often is compiled anew. */
const WARM_UP = 40;
/** A time that is further off than so many deviations says no more: garbage was collected, or another process ran. */
const MOST_DEVIATIONS = 3;

function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** CPU milliseconds of the client between what the first server answered and what it was given next, in order. */
type Times = readonly number[];

class TimedClient {
  readonly #times: number[] = [];
  #answeredAt: number | null = null;

  /** The endpoint, with a clock beside it. */
  over(endpoint: Endpoint): Endpoint {
    return new Proxy(endpoint, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name === "receive")
          return async (...given: Parameters<Endpoint["receive"]>) => {
            const answer = await target.receive(...given);
            if (given[1].role === "given") this.#answeredAt = cpuMilliseconds();
            return answer;
          };
        if (name === "send")
          return (...given: Parameters<Endpoint["send"]>) => {
            if (given[1].role === "taken" && this.#answeredAt !== null)
              this.#times.push(cpuMilliseconds() - this.#answeredAt);
            return target.send(...given);
          };
        return value.bind(target) as unknown;
      },
    });
  }

  take(): Times {
    this.#answeredAt = null;
    return this.#times.splice(0);
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Share of the second half of sessions whose prompt the first half's medians name. */
function toldApart(sessions: readonly (readonly [Times, Times])[]): number {
  const half = Math.floor(sessions.length / 2);
  const features = sessions[0][0].length;
  const learnt = Array.from({ length: features }, (_, at) =>
    ([0, 1] as const).map((which) => {
      const values = sessions.slice(0, half).map((pair) => pair[which][at]);
      const middle = median(values);
      return { middle, spread: median(values.map((value) => Math.abs(value - middle))) };
    }),
  );
  const nearness = (times: Times, which: 0 | 1): number =>
    learnt.reduce((sum, both, at) => {
      const spread = (both[0].spread + both[1].spread) / 2;
      return sum + Math.min(MOST_DEVIATIONS, Math.abs(times[at] - both[which].middle) / spread);
    }, 0);
  const tested = sessions
    .slice(half)
    .flatMap((pair) => [nearness(pair[0], 0) < nearness(pair[0], 1), nearness(pair[1], 1) < nearness(pair[1], 0)]);
  return tested.filter(Boolean).length / tested.length;
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      prompts: z.int().min(0).default(8),
      tokens: z.int().min(0).default(32),
      steps: z.int().min(0).default(4),
      repeats: z.int().min(0).default(60),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const { prompts: count, skip, tokens, steps, repeats, seed } = values;
  const config = parseRunConfig({ placement: "all=delegated", place: "memory", maxTokens: steps });
  const opened = await openDeployment(config, () => {});
  const clock = new TimedClient();
  const { model, deployment, head } = opened;
  const client = new Client(clock.over(deployment.client), model, deployment.nodes, { embedding: head! });
  const timed = async (ids: readonly number[]): Promise<Times> => {
    const promptLength = ids.length - steps + 1;
    const session = await openSession({ model, client }, { config, promptLength, maxNewTokens: steps });
    clock.take();
    await session.step(0, ids.slice(0, promptLength));
    for (let step = 1; step < steps; step++) await session.step(step, [ids[promptLength + step - 1]]);
    const times = clock.take();
    await session.close();
    return times;
  };
  try {
    const tokenizer = await openTokenizer(opened.modelPath);
    const file = fileURLToPath(new URL("../texts/heldout.txt", import.meta.url));
    const given = { prompts: { file, skip, count: 2 * count, calibration: 0, tokens } };
    const { attacked } = await promptIds(given, ".", (text) => tokenizer.encode(text, { addSpecial: false }));
    for (let run = 0; run < WARM_UP; run++) await timed(attacked[run % attacked.length]);
    for (const against of AGAINST) {
      const setting = { model: model.name, against, tokens, steps, repeats };
      if (output.has({ study: "client-timing", setting, seed })) continue;
      const startedAt = performance.now();
      const shares: number[] = [];
      const differences: number[] = [];
      const all: number[] = [];
      for (let at = 0; at < count; at++) {
        const chance = seededChance(`order ${seed} ${at}`);
        const one = attacked[2 * at];
        const other = otherOf(against, one, attacked[2 * at + 1]);
        const sessions: [Times, Times][] = [];
        for (let run = 0; run < repeats; run++) {
          const isOtherFirst = chance() < 0.5;
          const first = await timed(isOtherFirst ? other : one);
          const second = await timed(isOtherFirst ? one : other);
          sessions.push(isOtherFirst ? [second, first] : [first, second]);
        }
        shares.push(toldApart(sessions));
        const sums = ([0, 1] as const).map((which) =>
          median(sessions.map((pair) => pair[which].reduce((sum, time) => sum + time, 0))),
        );
        all.push(...sums);
        differences.push(Math.abs(sums[0] - sums[1]) / sums[0]);
        process.stderr.write(`${against}, pair ${at + 1} of ${count}: ${String(shares.at(-1))} told apart\n`);
      }
      output.write(
        {
          study: "client-timing",
          setting,
          figures: {
            toldApart: bootstrapInterval(shares, seed),
            mostToldApart: Math.max(...shares),
            relativeDifference: bootstrapInterval(differences, seed),
            clientMilliseconds: median(all),
          },
          n: count,
          seed,
        },
        startedAt,
      );
    }
  } finally {
    await opened.close();
  }
}

function otherOf(against: Against, one: readonly number[], another: readonly number[]): readonly number[] {
  if (against === "another") return another;
  return against === "itself" ? one : one.slice(SHORTER_BY);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
