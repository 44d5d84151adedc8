/**
 * Every secret stream of whole sessions: real dealers, parties and AttnNodes, two sessions after each other on the same nodes.
 *
 * Whoever knows of a stream that was drawn twice has the difference of what it masks, so: no party draws a stream twice, in a session or
 * across sessions; every stream has two ends, which draw as many bytes of it; every seed was drawn afresh, by one of its two ends, and
 * belongs to one pair of parties of one session.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { GREEDY } from "../../../layers/sampling.ts";
import { CLIENT } from "../../../protocols/cascade/party-name.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { layersOnShares } from "../../../protocols/fusion/session/layer-placement.ts";
import { placementOf, type SmpcChoice } from "../../../protocols/fusion/session/smpc-choice.ts";
import type { CounterSnapshot } from "../../../protocols/wire/counters.ts";
import type { Role } from "../../../protocols/wire/messages.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { describeSession } from "../cascade/whole-model.ts";
import { DrawLog, type Draw, type FreshBytes } from "./draw-log.ts";
import { rangesOfAll } from "./smpc-session-run.ts";

const MODEL = randomModel({ seed: 41, layers: 3, kvHeads: 1, group: 2, headDim: 2 });
const R: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const S: ShardingRule = { rule: "round-robin", parts: 3 };
const IDS = randomIds(9, 6);
/** The prompt, and two tokens one by one. */
const STEPS = 3;
const SEED_BYTES = 32;

/** What seeds are for: shares of zero, merges, rows that are shared, what is dealt, numbers of a client that evaluates gates. */
const KINDS = ["zero", "merge", "input", "dealt", "take"] as const;
type Kind = (typeof KINDS)[number];

interface Choice extends Pick<SmpcChoice, "parties" | "dealer"> {
  readonly placement: string;
  /** Kinds of seeds that are drawn from. */
  readonly kinds: readonly Kind[];
}

const BY_PARTIES_ALONE = KINDS.filter((kind) => kind !== "take");
const CHOICES: readonly (readonly [name: string, choice: Choice])[] = [
  ["two parties, the client deals", { placement: "0=smpc", parties: 2, dealer: "client", kinds: BY_PARTIES_ALONE }],
  [
    "three parties and a dealer, rows shared by CompNodes too",
    { placement: "0,2=smpc", parties: 3, dealer: "dealer", kinds: BY_PARTIES_ALONE },
  ],
  ["four parties, the client deals", { placement: "1-2=smpc", parties: 4, dealer: "client", kinds: BY_PARTIES_ALONE }],
  [
    "three parties, the client evaluates one layer and a part of another",
    { placement: "0=delegated; 2=smpc:attention", parties: 3, dealer: "dealer", kinds: KINDS },
  ],
  [
    "two parties, the client evaluates all layers, answered ahead of time",
    { placement: "all=delegated", parties: 2, dealer: "client", kinds: ["take"] },
  ],
  [
    "four parties, the client evaluates all layers, answered ahead of time",
    { placement: "all=delegated", parties: 4, dealer: "dealer", kinds: ["take"] },
  ],
];

/** What one session drew, and what its parties counted. */
interface SessionLog {
  readonly draws: readonly Draw[];
  readonly fresh: readonly FreshBytes[];
  readonly counters: readonly CounterSnapshot[];
  readonly session: number;
}

describe("secret streams of whole sessions", async () => {
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  const mergeScales = await mergeScalesOf(MODEL);

  /** Two sessions after each other. */
  async function sessions({ placement, parties, dealer }: Choice): Promise<SessionLog[]> {
    const { layers, evaluators } = layersOnShares(placement, MODEL.spec.layers);
    const placed = { layers: [...layers], evaluators: [...evaluators], headEvaluator: "parties" as const };
    const more = { wire: engine.word, maxNewTokens: STEPS, mergeScales };
    const plain = describeSession(MODEL, { r: R, s: S }, IDS.length, more);
    const smpc = await placementOf(
      plain,
      MODEL,
      { ...placed, parties, dealer, head: false, precision: "fine", trade: "standard" },
      ranges,
    );
    const shape = { alpha: 2, beta: 3, parties, dealer: dealer === "dealer", attnLinks: true };
    const log = new DrawLog();
    const deployment = await inProcessDeployment(MODEL, engine, shape, { wrap: log.wrap });
    const logs: SessionLog[] = [];
    try {
      for (let at = 0; at < 2; at++) {
        const [drawn, fresh] = [log.draws.length, log.fresh.length];
        const { reports, session } = await log.during(CLIENT, async () => {
          const client = new Client(deployment.client, MODEL, deployment.nodes, { embedding: engine });
          const opened = await client.open({ ...plain, smpc });
          for await (const token of generate(opened, engine, IDS, GREEDY, new Set())) assert.ok(token >= 0);
          return { reports: await opened.close(), session: opened.number };
        });
        logs.push({
          draws: log.draws.slice(drawn).filter(({ seed }) => seed !== null),
          fresh: log.fresh.slice(fresh),
          counters: [...reports.map(({ counters }: PartyReport) => counters), deployment.client.counters.snapshot()],
          session,
        });
      }
    } finally {
      await deployment.close();
    }
    return logs;
  }

  for (const [name, choice] of CHOICES)
    describe(name, () => {
      // Tests follow one another, and so do the sessions: what is noted is the process's.
      let made: Promise<SessionLog[]> | null = null;
      const noted = (): Promise<SessionLog[]> => (made ??= sessions(choice));

      it("no party draws a stream twice, in a session or in the next", async () => {
        const draws = (await noted()).flatMap((log) => log.draws);
        const seen = new Set<string>();
        for (const { party, stream, purpose } of draws) {
          const id = `${party} ${stream}`;
          assert.ok(!seen.has(id), `${party}: expected one draw of ${purpose}, got a second of the same words`);
          seen.add(id);
        }
      });

      it("every stream is drawn by two parties, as many bytes", async () => {
        for (const { draws: all } of await noted())
          for (const [, ends] of grouped(all.filter(isShared), ({ stream }) => stream)) {
            const [{ purpose, bytes }] = ends;
            assert.equal(
              ends.length,
              2,
              `${purpose}: expected two ends, got ${ends.map(({ party }) => party).join(", ")}`,
            );
            assert.equal(ends[1].bytes, bytes, `${purpose}: bytes drawn by ${ends[1].party} and ${ends[0].party}`);
            assert.ok(bytes > 0, `${purpose}: expected it to be drawn from`);
          }
      });

      it("every seed is fresh from the system, at one of its two ends, and is theirs in one session", async () => {
        const owners = new Map<string, string>();
        for (const { draws: all, fresh, session } of await noted()) {
          const drawnBy = grouped(fresh, ({ bytes }) => bytes);
          for (const [seed, uses] of grouped(all.filter(isShared), (draw) => draw.seed!)) {
            const ends = [...new Set(uses.map(({ party }) => party))].sort();
            const what = `seed of ${uses[0].purpose} at ${ends.join(" and ")}`;
            assert.equal(ends.length, 2, what);
            assert.equal(seed.length, 2 * SEED_BYTES, what);
            const origins = drawnBy.get(seed) ?? [];
            assert.equal(origins.length, 1, `${what}: expected it from the system's random bytes once`);
            assert.ok(ends.includes(origins[0].party), `${what}: drawn by ${origins[0].party}`);
            const owner = `session ${session}: ${ends.join(" and ")}`;
            assert.equal(owners.get(seed) ?? owner, owner, what);
            owners.set(seed, owner);
          }
        }
      });

      it("what the client checks answers with is its own, and fresh", async () => {
        for (const { draws: all, fresh } of await noted()) {
          const own = all.filter((draw) => !isShared(draw));
          assert.equal(own.length > 0, choice.kinds.includes("take"), "drawn where there are answers to check");
          for (const { party, seed, purpose } of own) {
            assert.equal(party, CLIENT, purpose);
            const origins = fresh.filter(({ bytes }) => bytes === seed);
            assert.deepEqual(
              origins.map((each) => each.party),
              [CLIENT],
              `${purpose}: expected a seed from the system's random bytes, once, at the client`,
            );
          }
        }
      });

      it("no seed has few different bytes, and no two agree in a stretch of them", async () => {
        const draws = (await noted()).flatMap((log) => log.draws);
        const seeds = [...new Set(draws.map(({ seed }) => seed!))];
        const stretches = new Map<string, string>();
        for (const seed of seeds) {
          const bytes = Buffer.from(seed, "hex");
          // Of 32 uniform bytes 30 are different on average; fewer than 20 come once in 10^9 seeds.
          assert.ok(new Set(bytes).size >= 20, `seed ${seed}: expected uniform bytes`);
          for (let at = 0; at + 8 <= bytes.length; at++) {
            const stretch = bytes.toString("hex", at, at + 8);
            assert.equal(stretches.get(stretch) ?? seed, seed, "two seeds with eight bytes in common");
            stretches.set(stretch, seed);
          }
        }
      });

      it("there are as many seeds as the parties sent", async () => {
        const last = `smpc.${choice.parties - 1}`;
        for (const { draws: all, counters, session } of await noted()) {
          const sent = (role: Role, isCounted = (_peer: string): boolean => true): number =>
            counters
              .flatMap(({ tensors }) => tensors)
              .filter((count) => count.direction === "sent" && count.session === session && count.role === role)
              .reduce((sum, { peer, messages }) => sum + (isCounted(peer) ? messages : 0), 0);
          const seeds = (isKind: (purpose: string) => boolean): number =>
            new Set(all.filter((draw) => isShared(draw) && isKind(draw.purpose)).map(({ seed }) => seed)).size;
          const between = (purpose: string): boolean => /\/zero"\]$|"opened tag"\]$/.test(purpose);
          const merging = (purpose: string): boolean => purpose.startsWith('["merge/');
          const input = (purpose: string): boolean => purpose.startsWith('["input"');
          const taken = (purpose: string): boolean => purpose.endsWith(`/taken"]`);
          const isOther = (purpose: string): boolean => ![between, merging, input, taken].some((is) => is(purpose));
          const sentOf: Readonly<Record<Kind, number>> = {
            zero: sent("zeroseed"),
            merge: sent("pairseed"),
            // The last party gets words.
            input: sent("shares", (peer) => peer !== last),
            dealt: sent("seed"),
            take: sent("takeseed"),
          };
          const drawnOf: Readonly<Record<Kind, number>> = {
            zero: seeds(between),
            merge: seeds(merging),
            input: seeds(input),
            dealt: seeds(isOther),
            take: seeds(taken),
          };
          for (const kind of KINDS) {
            const isDrawn = choice.kinds.includes(kind);
            assert.equal(drawnOf[kind], isDrawn ? sentOf[kind] : 0, `${kind}: seeds that were drawn from`);
            assert.ok(!isDrawn || sentOf[kind] > 0, `${kind}: expected seeds in the session`);
          }
        }
      });
    });
});

/** What answers are checked with has one end; all other streams have two. */
const isShared = ({ purpose }: Draw): boolean => !purpose.startsWith('["answer checks"');

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const list = groups.get(key(item));
    if (list === undefined) groups.set(key(item), [item]);
    else list.push(item);
  }
  return groups;
}
