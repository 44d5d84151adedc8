/**
 * Output shares leave with a share of zero: what a receiver of a row and the dealer see together.
 *
 * The toy: x of two words in [-2, 1], of which x0^2 + x1^2 is handed over: 16 inputs, 6 rows. A receiver that has the dealer's seeds
 * walks the plan for every input, as the parties would, and keeps those whose output shares are the ones that it received. Without the
 * share of zero that finds each input; with it the shares fit every input of the same row alike, as the difference is uniform.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { PlanBuilder } from "../../../protocols/smpc/plan/plan-builder.ts";
import { dealAll } from "../../../protocols/smpc/run/dealer-run.ts";
import { runParty, type Exchange } from "../../../protocols/smpc/run/party-run.ts";
import { addZeroShare, type PairStreams } from "../../../protocols/smpc/run/zero-share.ts";
import { joinShares, splitWords } from "../../../shares/sharing.ts";
import { StreamBook, type BatchStreams } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { gateFactors } from "./gate-programs.ts";
import { pairStreams } from "./pair-streams.ts";

const ROW_BITS = 32;
const BATCH = "1/0/0";
const VALUES = [-2, -1, 0, 1];
const INPUTS = VALUES.flatMap((first) => VALUES.map((second) => [first, second]));

describe("a share of zero", () => {
  it("adds nothing up to all parties, and is another for every output", () => {
    const any = { parties: fc.integer({ min: 2, max: 5 }), bits: fc.integer({ min: 1, max: 64 }) };
    fc.assert(
      fc.property(any.parties, any.bits, fc.integer({ min: 1, max: 40 }), (parties, bits, length) => {
        const pairs = pairStreams(parties, BATCH);
        const shares = ["1/zero", "2/zero"].map((purpose) =>
          pairs.map((mine, party) => {
            const words: Words = new BigUint64Array(length);
            addZeroShare(words, bits, party, mine, purpose);
            return words;
          }),
        );
        for (const each of shares) assert.deepEqual([...joinShares(each, bits)], Array(length).fill(0n));
        if (bits * length >= 64) assert.notDeepEqual(shares[0], shares[1]);
      }),
    );
  });

  for (const parties of [2, 3])
    it(`keeps a receiver with the dealer from the inputs, n = ${parties}`, async () => {
      const [found, foundWithout] = [0, 0].map(() => new Set<string>());
      for (const input of INPUTS) {
        const seeds = freshSeeds(parties);
        const refreshed = await outputShares(seeds, pairStreams(parties, BATCH), input);
        const bare = await outputShares(seeds, noPairs(parties), input);
        assert.deepEqual(joinShares(refreshed, ROW_BITS), joinShares(bare, ROW_BITS), "the row stays as it is");
        for (const [received, solved] of [
          [refreshed, found],
          [bare, foundWithout],
        ] as const) {
          const fitting = await inputsThatFit(seeds, received);
          if (fitting.length === 1 && fitting[0] === input) solved.add(input.join());
        }
      }
      assert.equal(foundWithout.size, INPUTS.length, "positive control: shares without it give every input away");
      assert.equal(found.size, 0);
    });

  it("differs from the share of every input by a uniform word", async () => {
    // 1,024 differences in 16 classes by their top and by their low bits; 65: one in 10^7 uniform samples (15 degrees of freedom).
    const differences: bigint[] = [];
    for (let run = 0; run < 64; run++)
      for (const input of INPUTS) {
        const seeds = freshSeeds(2);
        const refreshed = await outputShares(seeds, pairStreams(2, BATCH), input);
        const bare = await outputShares(seeds, noPairs(2), input);
        differences.push(BigInt.asUintN(ROW_BITS, refreshed[0][0] - bare[0][0]));
      }
    for (const shift of [0n, BigInt(ROW_BITS - 4)]) {
      const counts = Array.from({ length: 16 }, () => 0);
      for (const word of differences) counts[Number((word >> shift) & 15n)]++;
      const expected = differences.length / 16;
      const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      assert.ok(chiSquare < 65, `expected uniform differences, got a chi-square of ${chiSquare}`);
    }
  });
});

/** x0^2 + x1^2 of the input x, in a ring of ROW_BITS. */
const TOY: Plan = (() => {
  const builder = new PlanBuilder();
  const x = builder.share(1, 2, 0);
  builder.emit({ gate: "input", out: x, name: "x" });
  const wire = builder.wire(1, 2, 0, 4);
  builder.emit({ gate: "open", x, out: wire });
  const y = builder.share(1, 1, 0);
  builder.emit({ gate: "squares", x: wire, out: y, width: 2 });
  builder.emit({ gate: "output", x: y, name: "y", bits: ROW_BITS });
  return builder.finish();
})();

const freshSeeds = (parties: number): Uint8Array[] => Array.from({ length: parties }, () => randomBytes(32));

/** In place of pairs' streams: zeros, so that output shares leave as they are. */
function noPairs(parties: number): PairStreams[] {
  const zeros: BatchStreams = {
    stream: () => ({
      fillWords: (out) => void out.fill(0n),
      packedWords: (count, bits) => ({ bytes: new Uint8Array(Math.ceil((count * bits) / 8)), bitOffset: 0 }),
    }),
  };
  return Array.from(
    { length: parties },
    (_, party) =>
      new Map(
        Array.from({ length: parties }, (__, peer) => peer)
          .filter((peer) => peer !== party)
          .map((peer) => [peer, zeros]),
      ),
  );
}

/** The shares of y that the parties hand over. */
async function outputShares(
  seeds: readonly Uint8Array[],
  pairs: readonly PairStreams[],
  input: readonly number[],
): Promise<Words[]> {
  const streams = (): BatchStreams[] => seeds.map((seed) => new StreamBook(seed).batch(BATCH));
  const explicit = dealAll(TOY, { streams: streams(), kept: new Map() });
  const words = BigUint64Array.from(input, (value) => BigInt.asUintN(64, BigInt(value)));
  const shares = splitWords(words, 64, seeds.length, new StreamBook(randomBytes(32)).batch("input").stream("share"));
  const parts: Uint8Array[] = [];
  const waiting: (() => void)[] = [];
  const exchange =
    (party: number): Exchange =>
    async (_round, payload) => {
      parts[party] = payload;
      if (waiting.length < seeds.length - 1) await new Promise<void>((resolve) => waiting.push(resolve));
      else for (const resolve of waiting) resolve();
      return parts;
    };
  const all = await Promise.all(
    streams().map((mine, party) =>
      runParty(
        TOY,
        { party, parties: seeds.length, factors: gateFactors(), exchange: exchange(party), kept: new Map() },
        {
          batch: BATCH,
          streams: mine,
          explicit: party === seeds.length - 1 ? explicit : null,
          pairs: pairs[party],
        },
        { x: shares[party] },
      ),
    ),
  );
  return all.map(({ y }) => y);
}

/** The inputs that the dealer and a receiver can't rule out: for them the parties would have had the shares that were received. */
async function inputsThatFit(seeds: readonly Uint8Array[], received: readonly Words[]): Promise<number[][]> {
  const fitting: number[][] = [];
  for (const candidate of INPUTS) {
    const shares = await outputShares(seeds, noPairs(seeds.length), candidate);
    if (shares.every((share, party) => share[0] === received[party][0])) fitting.push(candidate);
  }
  return fitting;
}
