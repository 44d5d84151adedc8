/**
 * Every gate between real parties: over memory and WebSockets, two to four of them, at several widths. What comes out is the clear
 * reading within the declared units, what the endpoints counted is the declared cost, and both transports carry the same.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { runClear } from "../../../protocols/smpc/run/clear-run.ts";
import { dealAll } from "../../../protocols/smpc/run/dealer-run.ts";
import { gates } from "../../../protocols/smpc/gates/registry.ts";
import { gateOf } from "../../../protocols/smpc/plan/gate-of.ts";
import type { GateName, Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { runParty, type Exchange, type PartyClient } from "../../../protocols/smpc/run/party-run.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { loopbackNetwork } from "../../../protocols/wire/loopback-network.ts";
import { memoryNetwork } from "../../../protocols/wire/memory-network.ts";
import type { MessageKey } from "../../../protocols/wire/endpoint.ts";
import type { Role } from "../../../protocols/wire/messages.ts";
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import { CLIENT } from "../../../protocols/cascade/party-name.ts";
import { givenRole } from "../../../protocols/fusion/node/client-link.ts";
import { runClient } from "../../../protocols/smpc/run/client-run.ts";
import { noClientValues, type ClientValues } from "../../../protocols/smpc/run/client-values.ts";
import { Generator } from "../../../shares/generator.ts";
import { joinShares, splitWords } from "../../../shares/sharing.ts";
import { StreamBook, type BatchStreams } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { signedMod } from "./gate-bench.ts";
import { pairStreams } from "./pair-streams.ts";
import { clientFactors, gateFactors, gateProgram, type GateProgram, type GateWidths } from "./gate-programs.ts";

const DEALER = "dealer";
const WIDTHS: readonly GateWidths[] = [
  { wireBits: 11, ringBits: 26 },
  { wireBits: 16, ringBits: 41 },
  { wireBits: 20, ringBits: 64 },
];
const names = (parties: number): string[] => Array.from({ length: parties }, (_, party) => `smpc.${party}`);

/** What a program's session sent: every party's output shares, payload by role, and the longest chain of messages. */
interface Outcome {
  readonly out: readonly bigint[];
  /** Outputs of the client, by name. */
  readonly own: Readonly<Record<string, Float64Array>>;
  readonly bytes: Readonly<Record<string, number>>;
  readonly messages: Readonly<Record<string, number>>;
}

/** One program between parties that have a network, and a dealer that sends the last one its words. */
async function runOver(
  network: ReadonlyMap<string, PartyEndpoint>,
  session: number,
  { plan, inputs, clientInputs }: GateProgram,
  parties: number,
): Promise<Outcome> {
  for (const endpoint of network.values()) endpoint.openSession(session, { word: "float64" });
  const seeds = names(parties).map(() => randomBytes(32));
  const batch = `${session}/0/0`;
  const books = (): BatchStreams[] => seeds.map((seed) => new StreamBook(seed).batch(batch));
  const explicit = dealAll(plan, { streams: books(), kept: new Map() });
  const streams = books();
  const pairs = pairStreams(parties, batch);
  const last = names(parties)[parties - 1];
  const at = (role: Role, part: number): MessageKey => ({ session, layer: 0, step: 0, role, part });
  const dealt = at("dealt", 0);
  const takeSeeds = Array.from({ length: parties - 1 }, () => randomBytes(32));
  const shares = Object.fromEntries(
    Object.entries(inputs).map(([name, words]) => [
      name,
      splitWords(words, 64, parties, new Generator(randomBytes(32), name)),
    ]),
  );
  const run = async (party: number): Promise<Record<string, Words>> => {
    const endpoint = network.get(`smpc.${party}`)!;
    const exchange: Exchange = async (round, payload) => {
      const key = at("opened", round);
      const shape = [1, payload.length] as const;
      const all: Uint8Array[] = [];
      all[party] = payload;
      await Promise.all(
        names(parties).map(async (peer, other) => {
          if (other === party) return;
          await endpoint.send(peer, key, { data: payload, shape });
          all[other] = await received(endpoint, peer, key, payload.length);
        }),
      );
      return all;
    };
    const words =
      party < parties - 1 || explicit.length === 0
        ? explicit.subarray(0, 0)
        : await received(endpoint, DEALER, dealt, explicit.length);
    const client: PartyClient = {
      groups: 1,
      streams: party === 0 ? null : new StreamBook(takeSeeds[party - 1]).batch(batch),
      receive: (level, bytes) => received(endpoint, CLIENT, at("taken", level), bytes),
      send: (level, data) =>
        endpoint.send(CLIENT, at(givenRole(plan, party), level), { data, shape: [1, data.length] }),
    };
    const setting = { party, parties, factors: gateFactors(), exchange, kept: new Map(), client };
    const mine = Object.fromEntries(Object.entries(shares).map(([name, all]) => [name, all[party] as Words]));
    return runParty(
      plan,
      setting,
      { batch, streams: streams[party], pairs: pairs[party], explicit: party < parties - 1 ? null : words },
      mine,
    );
  };
  const sending =
    explicit.length === 0
      ? Promise.resolve()
      : network.get(DEALER)!.send(last, dealt, { data: explicit, shape: [1, explicit.length] });
  const atClient = network.get(CLIENT)!;
  const running = runClient(
    plan,
    {
      parties,
      links: {
        send: (level, data) => atClient.send("smpc.0", at("taken", level), { data, shape: [1, data.length] }),
        receive: (level, party, bytes) => received(atClient, `smpc.${party}`, at(givenRole(plan, party), level), bytes),
      },
      streams: takeSeeds.map((seed) => new StreamBook(seed).batch(batch)),
    },
    clientValues(clientInputs),
  );
  const [outputs, own] = await Promise.all([
    Promise.all(names(parties).map((_, party) => run(party))),
    running,
    sending,
  ]);
  const [bytes, messages]: Record<string, number>[] = [{}, {}];
  for (const { counters } of network.values())
    for (const count of counters.snapshot().tensors) {
      if (count.session !== session || count.direction !== "sent") continue;
      bytes[count.role] = (bytes[count.role] ?? 0) + count.payloadBytes;
      messages[count.role] = (messages[count.role] ?? 0) + count.messages;
    }
  for (const endpoint of network.values()) endpoint.closeSession(session, null);
  const bits = outputBits(plan);
  const out = joinShares(
    outputs.map(({ y }) => y),
    bits,
  );
  return { out: [...out].map((word) => signedMod(word, bits)), own, bytes, messages };
}

const received = async (endpoint: PartyEndpoint, from: string, key: MessageKey, bytes: number): Promise<Uint8Array> =>
  (await endpoint.receive(from, key, { shape: [1, bytes], word: "uint8" })).data as Uint8Array;

const clientValues = (inputs: ClientValues["inputs"]): ClientValues => ({
  ...noClientValues(),
  model: clientFactors(),
  inputs,
});

function outputBits({ instructions }: Plan): number {
  const output = instructions.find((each): each is Extract<Instruction, { gate: "output" }> => each.gate === "output")!;
  return output.bits;
}

/** Declared error units of the gates of a program; none of them is scaled by a later one. */
const unitsOf = (plan: Plan, parties: number): number =>
  plan.instructions.reduce(
    (sum, instruction) => sum + gateOf(instruction).errorUnits(instruction, { info: (id) => plan.values[id], parties }),
    0,
  );

/** Units of what is given, times what its rows (3 of 8 numbers up to 1, halved) and the columns of its matrix were divided by. */
function ownBound({ plan }: GateProgram, parties: number): number {
  const gives = plan.instructions.filter((each) => each.gate === "give");
  return gives.reduce((most, each) => {
    const norm = Math.max(...clientFactors().columnNorms(each.columnsOf!)) * Math.SQRT2;
    const units = gateOf(each).errorUnits(each, { info: (id) => plan.values[id], parties });
    return Math.max(most, units * 2 ** -plan.values[each.x].fracBits * norm);
  }, 0);
}

/** As the parties' result must be, and at what cost. */
async function check(program: GateProgram, parties: number, { out, own, bytes, messages }: Outcome): Promise<void> {
  const { plan, inputs, clientInputs } = program;
  const clearOwn: Record<string, Float64Array> = {};
  const { y } = await runClear(plan, gateFactors(), inputs, new Map(), clientValues(clientInputs), clearOwn);
  const units = BigInt(Math.floor(unitsOf(plan, parties)));
  const bits = outputBits(plan);
  y.forEach((word, i) => {
    const error = signedMod(out[i] - word, bits);
    assert.ok(error <= units && -error <= units, `word ${i}: expected within ${units} units, got ${error}`);
  });
  assert.deepEqual(Object.keys(own), Object.keys(clearOwn), "outputs of the client");
  for (const [name, numbers] of Object.entries(own)) {
    const bound = ownBound(program, parties);
    numbers.forEach((number, i) => {
      const error = Math.abs(number - clearOwn[name][i]);
      assert.ok(error <= bound, `${name}, number ${i}: expected within ${bound}, got ${error}`);
    });
  }
  const { onlineBytes, dealtBytes, client, total } = planCost(plan, parties);
  assert.equal(bytes.opened ?? 0, onlineBytes, "opened bytes");
  assert.equal(bytes.dealt ?? 0, dealtBytes, "dealt bytes");
  assert.equal(messages.opened ?? 0, total.rounds * parties * (parties - 1), "a message a pair and round");
  assert.deepEqual(
    { taken: bytes.taken ?? 0, given: bytes.given ?? 0, ahead: bytes.ahead ?? 0 },
    { taken: client?.takenBytes ?? 0, given: client?.givenBytes ?? 0, ahead: client?.aheadBytes ?? 0 },
    "bytes of the client's messages",
  );
  assert.deepEqual(
    { taken: messages.taken ?? 0, given: messages.given ?? 0, ahead: messages.ahead ?? 0 },
    { taken: client?.takenMessages ?? 0, given: client?.givenMessages ?? 0, ahead: client?.aheadMessages ?? 0 },
    "the client's messages",
  );
  assert.deepEqual(
    Object.keys(bytes).filter((role) => !["opened", "dealt", "taken", "given", "ahead"].includes(role)),
    [],
  );
}

describe("gates between parties", () => {
  for (const parties of [2, 3, 4]) {
    const networks = new Map<string, ReadonlyMap<string, PartyEndpoint>>();
    const all = [...names(parties), DEALER, CLIENT];
    before(async () => {
      networks.set("memory", memoryNetwork(all));
      networks.set("WebSockets", await loopbackNetwork(all));
    });
    after(async () => {
      for (const network of networks.values()) for (const endpoint of network.values()) await endpoint.close();
    });
    let session = 1;
    for (const gate of Object.keys(gates) as GateName[])
      for (const widths of WIDTHS) {
        const { wireBits, ringBits } = widths;
        it(`${gate}, ${parties} parties, wires of ${wireBits} and a ring of ${ringBits} bits`, async () => {
          const program = gateProgram(gate, widths, `${gate} ${process.env.FC_SEED}`);
          assert.ok(
            program.plan.instructions.some((each) => each.gate === gate),
            "the gate is in its program",
          );
          const outcomes: Outcome[] = [];
          for (const [transport, network] of networks) {
            const outcome = await runOver(network, session++, program, parties);
            await check(program, parties, outcome).catch((error: Error) => {
              throw new Error(`over ${transport}: ${error.message}`, { cause: error });
            });
            outcomes.push(outcome);
          }
          assert.deepEqual(outcomes[0].bytes, outcomes[1].bytes, "both transports carry the same");
        });
      }
  }
});
