/**
 * Runs the executors of a client and of every party (runClient, runParty) on one take and one give, without a network, on shares that the
 * caller chooses: what is proved of a model is compared with it.
 */
import { ModelFactors } from "../protocols/smpc/factors/public-factors.ts";
import { droppedAt } from "../protocols/smpc/gates/give.ts";
import type { InstructionOf, Plan } from "../protocols/smpc/plan/instruction.ts";
import { ClientPipe } from "../protocols/smpc/run/client-pipe.ts";
import { runClient } from "../protocols/smpc/run/client-run.ts";
import { noClientValues } from "../protocols/smpc/run/client-values.ts";
import { runParty } from "../protocols/smpc/run/party-run.ts";
import { ring } from "../shares/ring.ts";
import type { BatchStreams } from "../shares/stream-book.ts";
import type { Words } from "../shares/words.ts";

/** Words as they were sent, and numbers as they were read. */
export interface TakenAndGiven {
  /** What party 0 got. */
  readonly taken: Words;
  /** What each party gave. */
  readonly parts: readonly Words[];
  readonly read: Float64Array;
}

/**
 * Numbers of a client that are taken in a ring of `give.bits` and given back at once, from value 1 to 2; parties 1 and up expand
 * `shares`, whose first is not looked at.
 */
export async function takenAndGiven(
  give: InstructionOf<"give">,
  numbers: Float64Array,
  shares: readonly Words[],
): Promise<TakenAndGiven> {
  const { bits } = give;
  const parties = shares.length;
  const shape = { rows: numbers.length, columns: 1, fracBits: 0 };
  const plan: Plan = {
    values: [
      { kind: "client", ...shape },
      { kind: "share", ...shape, ringBits: bits },
      { kind: "client", ...shape },
    ],
    instructions: [
      { gate: "client-input", out: 0, name: "x" },
      { gate: "take", x: 0, out: 1, normalised: false },
      give,
      { gate: "client-output", x: 2, name: "y" },
    ],
    levels: [0, 0, 0, 1],
    rounds: 1,
    sites: [],
    checks: [],
  };
  const parts: Uint8Array[] = [];
  const links = new ClientPipe(parties);
  const streamsOf = (party: number): BatchStreams => ({
    stream: () => ({
      fillWords: (out, width) => out.set(shares[party].map((each) => BigInt.asUintN(width, each))),
      packedWords: () => {
        throw new Error("take: expected words, got a draw of packed ones");
      },
    }),
  });
  const everyone = shares.map((_, party) => party);
  const [{ y }] = await Promise.all([
    runClient(
      plan,
      {
        parties,
        links: {
          send: (level, payload) => links.send(level, payload),
          receive: async (level, party, bytes) => (parts[party] = await links.receive(level, party, bytes)),
        },
        streams: everyone.slice(1).map(streamsOf),
        checks: null,
      },
      { ...noClientValues(), inputs: { x: numbers } },
    ),
    ...everyone.map((party) =>
      runParty(
        plan,
        {
          party,
          parties,
          factors: new ModelFactors((name) => {
            throw new Error(`give: expected a plan without parameters, got ${name}`);
          }),
          exchange: () => Promise.reject(new Error("give: expected no round")),
          kept: new Map(),
          client: links.of(party, party === 0 ? null : streamsOf(party)),
        },
        {
          batch: "all",
          streams: streamsOf(party),
          explicit: party === parties - 1 ? new Uint8Array(0) : null,
          pairs: new Map(everyone.filter((peer) => peer !== party).map((peer) => [peer, streamsOf(peer)])),
        },
        {},
      ),
    ),
  ]);
  const unpacked = (bytes: Uint8Array, width: number): Words => {
    const words: Words = new BigUint64Array(numbers.length);
    ring.unpack(words, bytes, width, 0);
    return words;
  };
  return {
    taken: unpacked(links.taken[0], bits),
    parts: parts.map((bytes, party) => unpacked(bytes, bits - droppedAt(give, party))),
    read: y,
  };
}
