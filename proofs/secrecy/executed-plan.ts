/**
 * A tiny plan run by the executors of sessions (runParty of every party, runClient, dealAll of the dealer) over all randomness: what each of them
 * has, and what a receiver of the outputs has. Seeds are what they stand for, words that whoever has the seed draws; the generator is
 * taken as ideal.
 */
import { ModelFactors } from "../../protocols/smpc/factors/public-factors.ts";
import { dealtLayout } from "../../protocols/smpc/plan/dealt-layout.ts";
import type { Plan } from "../../protocols/smpc/plan/instruction.ts";
import { widthOf } from "../../protocols/smpc/plan/width-of.ts";
import { dealAll } from "../../protocols/smpc/run/dealer-run.ts";
import { ClientPipe } from "../../protocols/smpc/run/client-pipe.ts";
import { runClient } from "../../protocols/smpc/run/client-run.ts";
import { noClientValues } from "../../protocols/smpc/run/client-values.ts";
import { runParty, type Exchange } from "../../protocols/smpc/run/party-run.ts";
import { ring } from "../../shares/ring.ts";
import { splitWords } from "../../shares/sharing.ts";
import type { BatchStreams } from "../../shares/stream-book.ts";
import type { Words } from "../../shares/words.ts";
import { CountedChoices, choiceBits, RandomChoices, type DrawFault } from "./random-choices.ts";
import { ONES } from "./tiny-plans.ts";
import type { Secret, SecretRun, Seen } from "./views.ts";

/** Who looks: a party by its number, the dealer, who receives the outputs. */
export type Member = number | "dealer" | "receiver";

export interface ExecutedPlan {
  readonly parties: number;
  /** The plan of so many elements, each of which is a run of its own: no gate may bring two of them together. */
  readonly planOf: (elements: number) => Plan;
  /** Elements that are best run at once; else as many as keep their arrays in the processor's cache. */
  readonly slice?: number;
  readonly fault?: DrawFault;
}

const SLICE = 2 ** 15;

/** Most random bits of a run: choices are numbers of 32 bits, and a view of each is kept. */
const MOST_BITS = 24;

/** A run on one secret, as `coalitions` see it. Throws RangeError for a plan of too much randomness. */
export async function runOf(
  { parties, planOf, fault, slice = SLICE }: ExecutedPlan,
  coalitions: readonly (readonly Member[])[],
  secret: Secret,
): Promise<SecretRun> {
  const counted = new CountedChoices(fault);
  await execute(planOf(1), parties, secret, 1, (seed) => counted.streams(seed));
  const layout = counted.layout();
  const bits = choiceBits(layout);
  if (bits > MOST_BITS) throw new RangeError(`secrecy: expected at most ${MOST_BITS} random bits, got ${bits}`);
  return {
    choices: 2 ** bits,
    slice,
    async views(first, count) {
      const choices = new RandomChoices(layout, first, count, fault);
      const plan = planOf(count);
      const run = await execute(plan, parties, secret, count, (seed) => choices.streams(seed));
      return coalitions.map((members) => {
        const seeds = new Set(members.flatMap((member) => seedsOf(member, parties)));
        const drawn = counted.knownTo(seeds).flatMap((stream) =>
          Array.from({ length: stream.words }, (_, slot): Seen => ({
            words: choices.words(stream, slot),
            bits: stream.bits,
          })),
        );
        return [...drawn, ...members.flatMap((member) => receivedBy(member, plan, count, run))];
      });
    },
  };
}

const batchSeed = (party: number): string => `party ${party}`;
/** What the client gives a party. */
const takeSeed = (party: number): string => `take ${party}`;
const pairSeed = (a: number, b: number): string => `pair ${Math.min(a, b)} ${Math.max(a, b)}`;

function seedsOf(member: Member, parties: number): string[] {
  const all = Array.from({ length: parties }, (_, party) => party);
  if (member === "receiver") return [];
  if (member === "dealer") return all.map(batchSeed);
  const ofClient = member === 0 ? [] : [takeSeed(member)];
  return [
    batchSeed(member),
    ...ofClient,
    ...all.filter((peer) => peer !== member).map((peer) => pairSeed(member, peer)),
  ];
}

/** What everybody has after a run. */
interface Execution {
  /** By party and name. */
  readonly inputs: readonly Readonly<Record<string, Words>>[];
  readonly outputs: readonly Readonly<Record<string, Words>>[];
  /** By round and party: payloads as they were sent. */
  readonly sent: readonly (readonly Uint8Array[])[];
  /** What the client sent party 0, by level. */
  readonly taken: readonly Uint8Array[];
  readonly explicit: Uint8Array;
}

/** What a member is given or sent: what it draws, and what it computes of both, is not in it. */
function receivedBy(member: Member, plan: Plan, elements: number, run: Execution): Seen[] {
  const { instructions, values, levels } = plan;
  if (member === "dealer") return [];
  if (member === "receiver")
    return instructions.flatMap((each) =>
      each.gate === "output"
        ? run.outputs.map((outputs): Seen => ({ words: outputs[each.name], bits: each.bits }))
        : [],
    );
  const seen: Seen[] = [];
  const last = run.inputs.length - 1;
  instructions.forEach((instruction, index) => {
    if (instruction.gate === "input")
      seen.push({ words: run.inputs[member][instruction.name], bits: widthOf(values[instruction.out]) });
    if (member !== last) return;
    for (const { bits, count, byteOffset, byteLength } of dealtLayout(plan).places[index].values()) {
      const words: Words = new BigUint64Array(count);
      ring.unpack(words, run.explicit.subarray(byteOffset, byteOffset + byteLength), bits, 0);
      for (const each of bySlot(words, elements)) seen.push({ words: each, bits });
    }
  });
  if (member === 0) seen.push(...takenOf(plan, elements, run.taken));
  run.sent.forEach((payloads, round) =>
    payloads.forEach((payload, from) => {
      if (from === member) return;
      let at = 0;
      instructions.forEach((instruction, index) => {
        if (instruction.gate !== "open" || levels[index] !== round) return;
        const bits = widthOf(values[instruction.out]);
        const { rows, columns } = values[instruction.out];
        const words: Words = new BigUint64Array(rows * columns);
        const bytes = Math.ceil((words.length * bits) / 8);
        ring.unpack(words, payload.subarray(at, at + bytes), bits, 0);
        for (const each of bySlot(words, elements)) seen.push({ words: each, bits });
        at += bytes;
      });
      if (at !== payload.length)
        throw new Error(`secrecy: expected ${at} bytes in round ${round}, got ${payload.length}`);
    }),
  );
  return seen;
}

/** The words of all elements, one after the other, by what they are of an element. */
function bySlot(words: Words, elements: number): Words[] {
  const each = words.length / elements;
  return Array.from({ length: each }, (_all, slot) =>
    BigUint64Array.from({ length: elements }, (_, i) => words[i * each + slot]),
  );
}

/** The words that the client sent. */
function takenOf({ instructions, values, levels }: Plan, elements: number, taken: readonly Uint8Array[]): Seen[] {
  const at: number[] = taken.map(() => 0);
  const seen = instructions.flatMap((instruction, index): Seen[] => {
    if (instruction.gate !== "take") return [];
    const bits = widthOf(values[instruction.out]);
    const words: Words = new BigUint64Array(elements);
    const level = levels[index];
    const from = at[level];
    at[level] += Math.ceil((elements * bits) / 8);
    ring.unpack(words, taken[level].subarray(from, at[level]), bits, 0);
    return [{ words, bits }];
  });
  taken.forEach((payload, level) => {
    if (at[level] !== payload.length)
      throw new Error(`secrecy: expected ${at[level]} bytes taken in level ${level}, got ${payload.length}`);
  });
  return seen;
}

/** Runs the plan as sessions do, with these streams. */
async function execute(
  plan: Plan,
  parties: number,
  secret: Secret,
  elements: number,
  streamsOf: (seed: string) => BatchStreams,
): Promise<Execution> {
  const everyone = Array.from({ length: parties }, (_, party) => party);
  const inputs = everyone.map((): Record<string, Words> => ({}));
  for (const instruction of plan.instructions) {
    if (instruction.gate !== "input") continue;
    const { name, out } = instruction;
    const words: Words = new BigUint64Array(elements).fill(secret[name]);
    let draws = 0;
    const owner = streamsOf("inputs");
    splitWords(words, widthOf(plan.values[out]), parties, {
      fillWords: (into, bits) => owner.stream(`${name} ${draws++}`).fillWords(into, bits),
    }).forEach((share, party) => (inputs[party][name] = share));
  }
  const explicit = dealAll(plan, { streams: everyone.map((party) => streamsOf(batchSeed(party))), kept: new Map() });
  const sent: Uint8Array[][] = [];
  const waiting: ((all: readonly Uint8Array[]) => void)[] = [];
  const exchange =
    (party: number): Exchange =>
    (round, payload) =>
      new Promise((resolve) => {
        (sent[round] ??= [])[party] = payload;
        if (waiting.push(resolve) < parties) return;
        for (const each of waiting.splice(0)) each(sent[round]);
      });
  const factors = new ModelFactors((name) => {
    if (name === ONES) return { data: Float32Array.of(1), shape: [1] };
    throw new Error(`secrecy: expected a plan without parameters, got ${name}`);
  });
  const links = new ClientPipe(parties);
  const numbers = plan.instructions.flatMap((each) =>
    each.gate === "client-input"
      ? [[each.name, new Float64Array(elements).fill(Number(secret[each.name]))] as const]
      : [],
  );
  const atClient = runClient(
    plan,
    { parties, links, streams: everyone.slice(1).map((party) => streamsOf(takeSeed(party))), checks: null },
    { ...noClientValues(), inputs: Object.fromEntries(numbers) },
  );
  const atParties = Promise.all(
    everyone.map((party) =>
      runParty(
        plan,
        {
          party,
          parties,
          factors,
          exchange: exchange(party),
          kept: new Map(),
          client: links.of(party, party === 0 ? null : streamsOf(takeSeed(party))),
        },
        {
          batch: "all",
          streams: streamsOf(batchSeed(party)),
          explicit: party === parties - 1 ? explicit : null,
          pairs: new Map(
            everyone.filter((peer) => peer !== party).map((peer) => [peer, streamsOf(pairSeed(party, peer))]),
          ),
        },
        inputs[party],
      ),
    ),
  );
  const [outputs] = await Promise.all([atParties, atClient]);
  return { inputs, outputs, sent, taken: links.taken, explicit };
}
