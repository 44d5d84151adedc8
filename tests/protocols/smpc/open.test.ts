import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { evaluateCost } from "../../../protocols/cost.ts";
import type { ClearWalk } from "../../../protocols/smpc/plan/gate.ts";
import { maskedShare, open, sumMasked } from "../../../protocols/smpc/gates/open.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import type { ClearWords, ShareWords, Words } from "../../../shares/words.ts";
import { signedMod } from "./gate-bench.ts";

const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const scene = fc
  .record({ parties: fc.constantFrom(2, 3, 4), bits: fc.integer({ min: 1, max: 64 }) })
  .chain(({ parties, bits }) =>
    fc.record({
      bits: fc.constant(bits),
      shares: fc.array(fc.array(word, { minLength: 5, maxLength: 5 }), { minLength: parties, maxLength: parties }),
      masks: fc.array(
        fc.array(
          word.map((r) => BigInt.asUintN(bits, r)),
          { minLength: 5, maxLength: 5 },
        ),
        { minLength: parties, maxLength: parties },
      ),
    }),
  );

const sumAt = (rows: readonly bigint[][], at: number): bigint => rows.reduce((sum, row) => sum + row[at], 0n);

describe("open", () => {
  it("opens the sum of the shares and the masks, from canonical words of the wire's bits", () => {
    fc.assert(
      fc.property(scene, ({ bits, shares, masks }) => {
        const parts = shares.map((share, party) =>
          maskedShare(BigUint64Array.from(share) as Words as ShareWords, mask(masks[party]), bits),
        );
        for (const part of parts) for (const each of part) assert.equal(each >> BigInt(bits), 0n);
        const opened = sumMasked(parts, bits);
        assert.deepEqual(
          [...opened],
          Array.from({ length: 5 }, (_, at) => BigInt.asUintN(bits, sumAt(shares, at) + sumAt(masks, at))),
        );
      }),
    );
  });

  it("refuses to add up nothing", () => {
    assert.throws(() => sumMasked([], 8), /open: expected the parts of all parties, got none/);
  });

  it("sends its bits once to every other party, in one round", () => {
    const infos: ValueInfo[] = [
      { kind: "share", rows: 3, columns: 5, fracBits: 0, ringBits: 32 },
      { kind: "wire", rows: 3, columns: 5, fracBits: 0, bits: 19 },
    ];
    const quantities = open.quantities({ gate: "open", x: 0, out: 1 }, (id) => infos[id]);
    const bits = [2, 3, 4].map((n) => evaluateCost(open.cost.onlineBits, { ...quantities, n }));
    assert.deepEqual(bits, [2 * 15 * 19, 6 * 15 * 19, 12 * 15 * 19]);
    assert.equal(evaluateCost(open.cost.rounds, quantities), 1);
    assert.deepEqual(
      open.dealt({ gate: "open", x: 0, out: 1 }, (id) => infos[id]),
      [],
    );
  });

  it("reads a value in the clear as signed in the wire's ring", async () => {
    for (const bits of [1, 7, 63, 64]) {
      const edges = [0n, 1n, -1n, 1n << BigInt(bits - 1), -(1n << BigInt(bits - 1)), (1n << BigInt(bits)) + 3n];
      const infos: ValueInfo[] = [
        { kind: "share", rows: 1, columns: edges.length, fracBits: 0, ringBits: 64 },
        { kind: "wire", rows: 1, columns: edges.length, fracBits: 0, bits },
      ];
      const made: Words[] = [];
      const walk = {
        info: (id: number) => infos[id],
        clear: () => BigUint64Array.from(edges, (each) => BigInt.asUintN(64, each)) as Words as ClearWords,
        setClear: (_: number, words: Words) => made.push(words),
      } as unknown as ClearWalk;
      await open.clear({ gate: "open", x: 0, out: 1 }, walk);
      assert.deepEqual(
        [...made[0]].map((each) => signedMod(each, 64)),
        edges.map((each) => signedMod(signedMod(each, 64), bits)),
      );
    }
  });
});

const mask = (words: readonly bigint[]): ShareWords => BigUint64Array.from(words) as Words as ShareWords;
