/**
 * How far can a server of delegated layers turn the text with lies that the client's checks don't find?
 *
 * The first server adds so many units to one word of each row of what it answers with the LM head: the token that it wants said more often.
 * Checks refuse a word that is off by more than twice their window; what is below is believed. Counted: sessions in which it was caught, how far
 * the wanted token's logit rose (a random one's), next tokens that came out otherwise than with an honest server, and next tokens whose
 * logit is less than that rise above the second one's: what a server could turn that guesses the second. Units are windows. The control
 * is a lie of nothing.
 *
 * npx tsx experiments/attacks/studies/steering-server.ts --prompts 20 --skip 60 --out records.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { Client, type ClientSession } from "../../../protocols/fusion/client/client.ts";
import { openSession } from "../../../protocols/fusion/client/open-session.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { openDeployment } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { smpcName } from "../../../protocols/cascade/party-name.ts";
import { answerWindow } from "../../../protocols/smpc/check/answer-window.ts";
import { productGroups } from "../../../protocols/smpc/check/product-checks.ts";
import { topsOf } from "../../../protocols/smpc/gates/give.ts";
import type { Endpoint, MessageKey } from "../../../protocols/wire/endpoint.ts";
import { bootstrapInterval, seededChance } from "../../lab/statistics/bootstrap.ts";
import { promptIds } from "../run/texts.ts";
import { StudyOutput } from "./study-output.ts";
import { STUDY_FLAGS, listed, studyFlags } from "./study-flags.ts";

/** Secret vectors of a client that nobody told otherwise. */
const VECTORS = 20;

class SteeringServer {
  session: ClientSession | null = null;
  /** Units of the check's window that are added to the wanted token's word. */
  windows = 0;
  target = 0;

  over(endpoint: Endpoint): Endpoint {
    if (endpoint.party !== smpcName(0)) return endpoint;
    return new Proxy(endpoint, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "send") return value.bind(target) as unknown;
        return (...[peer, key, tensor]: Parameters<Endpoint["send"]>) => {
          const data = key.role === "given" ? this.#lie(key, tensor.data as Uint8Array) : null;
          return target.send(peer, key, data === null ? tensor : { ...tensor, data });
        };
      },
    });
  }

  /** The answer with the head's words altered; null where the message has none of them. */
  #lie({ step, part = 0 }: MessageKey, data: Uint8Array): Uint8Array | null {
    const program = this.session?.program ?? null;
    if (program === null || this.windows === 0) return null;
    const plan = program.plan(program.segments.length - 1, step);
    const group = productGroups(plan).at(-1)!; // the head comes last
    const [give] = group.gives;
    if (plan.levels[plan.instructions.indexOf(give)] !== part) return null;
    const { rows, columns } = plan.values[give.out];
    const tops: Words = topsOf(give, data, rows * columns, 0);
    const units = BigInt(
      Math.floor((this.windows * answerWindow(columns, VECTORS, give.droppedBits)) / 2 ** give.droppedBits),
    );
    for (let row = 0; row < rows; row++) tops[row * columns + this.target] += units;
    ring.reduce(tops, tops, give.bits - give.droppedBits);
    return ring.pack(tops, give.bits - give.droppedBits);
  }
}

const bestOf = (logits: ArrayLike<number>): number =>
  Array.from(logits).reduce((best, value, at) => (value > logits[best] ? at : best), 0);

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      prompts: z.int().min(0).default(20),
      tokens: z.int().min(0).default(24),
      steps: z.int().min(0).default(9),
      windows: listed(z.number().min(0), "0,0.5,1,1.5,2,3"),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const { prompts: count, skip, tokens, steps, seed } = values;
  const model = values.model === undefined ? {} : { model: values.model };
  const config = parseRunConfig({
    ...model,
    placement: "all=delegated",
    head: "delegated",
    place: "memory",
    maxTokens: steps,
  });
  const opened = await openDeployment(config, () => {});
  const server = new SteeringServer();
  const shape = { alpha: 0, beta: 0, parties: 2, dealer: false };
  const deployment = await inProcessDeployment(opened.model, opened.head, shape, {
    wrap: (endpoint) => server.over(endpoint),
  });
  const client = new Client(deployment.client, opened.model, deployment.nodes, { embedding: opened.head! });
  try {
    const tokenizer = await openTokenizer(opened.modelPath);
    const file = fileURLToPath(new URL("../texts/heldout.txt", import.meta.url));
    const given = { prompts: { file, skip, count, calibration: 0, tokens } };
    const { attacked } = await promptIds(given, ".", (text) => tokenizer.encode(text, { addSpecial: false }));
    /** Logits of the next token after each of the last tokens; fewer where the server was caught. */
    const logitsOf = async (ids: readonly number[], windows: number, target: number): Promise<Float64Array[]> => {
      const promptLength = ids.length - steps + 1;
      server.windows = windows;
      server.target = target;
      const session = await openSession({ model: opened.model, client }, { config, promptLength, maxNewTokens: steps });
      server.session = session;
      const out: Float64Array[] = [];
      try {
        for (let step = 0; step < steps; step++) {
          const result = await session.step(
            step,
            step === 0 ? ids.slice(0, promptLength) : [ids[promptLength + step - 1]],
          );
          if (!("logits" in result) || result.logits === null) throw new Error("steering: expected logits, got none");
          out.push(Float64Array.from(result.logits.data).slice(-result.logits.shape[1]));
        }
      } catch (error) {
        if (!/computes wrong or cheats/.test(String(error))) throw error;
        await session.giveUp(error);
        return out;
      }
      await session.close();
      return out;
    };
    const chance = seededChance(`targets ${seed}`);
    const honest: { ids: readonly number[]; target: number; logits: Float64Array[] }[] = [];
    for (const ids of attacked) {
      const target = Math.floor(chance() * opened.model.spec.vocabulary);
      honest.push({ ids, target, logits: await logitsOf(ids, 0, target) });
    }
    for (const windows of values.windows) {
      const setting = { model: opened.model.name, windows, tokens, steps };
      if (output.has({ study: "steering-server", setting, seed })) continue;
      const startedAt = performance.now();
      let caught = 0;
      const [changed, gaps, rises]: [number[], number[], number[]] = [[], [], []];
      for (const { ids, target, logits } of honest) {
        const lied = await logitsOf(ids, windows, target);
        if (lied.length < steps) caught++;
        lied.forEach((row, step) => {
          rises.push(row[target] - logits[step][target]);
          const most = logits[step][bestOf(logits[step])];
          const second = logits[step].reduce(
            (best, value, at) => (at !== bestOf(logits[step]) && value > best ? value : best),
            -Infinity,
          );
          gaps.push(most - second < row[target] - logits[step][target] ? 1 : 0);
          changed.push(bestOf(row) === bestOf(logits[step]) ? 0 : 1);
        });
      }
      output.write(
        {
          study: "steering-server",
          setting,
          figures: {
            caughtSessions: caught,
            believedRows: rises.length,
            logitRise: rises.length === 0 ? null : bootstrapInterval(rises, seed),
            changedByOneToken: changed.length === 0 ? null : bootstrapInterval(changed, seed),
            gapsBelowTheRise: gaps.length === 0 ? null : bootstrapInterval(gaps, seed),
          },
          n: count,
          seed,
        },
        startedAt,
      );
    }
  } finally {
    await deployment.close();
    await opened.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
