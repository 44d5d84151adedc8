import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { differingPairs, OpenedTags, tagsBytes } from "../../../protocols/smpc/run/opened-tags.ts";
import { pairStreams } from "./pair-streams.ts";

/** Rounds, each with everyone's payload. */
type Rounds = readonly (readonly Uint8Array[])[];

/** The tags of parties that saw these rounds, one a party. */
function tagsOf(seen: readonly Rounds[], batch = "1/0/0"): Uint8Array[] {
  const pairs = pairStreams(seen.length, batch);
  return seen.map((rounds, party) => {
    const tags = new OpenedTags();
    rounds.forEach((all, round) => tags.add(round, all));
    return tags.finish(pairs[party]);
  });
}

describe("tags of opened words", () => {
  const anyRounds = (parties: number): fc.Arbitrary<Uint8Array[][]> =>
    fc.array(fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: parties, maxLength: parties }), {
      minLength: 1,
      maxLength: 4,
    });
  const any = fc.integer({ min: 2, max: 5 }).chain((parties) => fc.tuple(fc.constant(parties), anyRounds(parties)));

  it("are equal for every two parties that saw the same, and have the declared length", () => {
    fc.assert(
      fc.property(any, ([parties, rounds]) => {
        const tags = tagsOf(Array.from({ length: parties }, () => rounds));
        for (const { length } of tags) assert.equal(length, tagsBytes(parties));
        assert.deepEqual(differingPairs(tags), []);
      }),
    );
  });

  it("differ between a party that saw one other bit anywhere and all others", () => {
    fc.assert(
      fc.property(any, fc.nat(), fc.nat(), fc.nat(), ([parties, rounds], who, where, bit) => {
        const deceived = who % parties;
        const seen = Array.from({ length: parties }, () => rounds.map((all) => all.map((each) => each.slice())));
        const payload = seen[deceived][where % rounds.length][bit % parties];
        payload[bit % payload.length] ^= 1 << (bit % 8);
        const others = Array.from({ length: parties }, (_, party) => party).filter((party) => party !== deceived);
        assert.deepEqual(
          differingPairs(tagsOf(seen)),
          others.map((other) => (other < deceived ? [other, deceived] : [deceived, other])),
        );
      }),
    );
  });

  it("differ where the same bytes came in other rounds or from other parties", () => {
    const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    const rounds = [
      [a, b],
      [b, a],
    ];
    const joined = [[Uint8Array.of(1, 2, 3), new Uint8Array(0)], rounds[1]];
    for (const other of [[...rounds].reverse(), [rounds[0]], joined])
      assert.deepEqual(differingPairs(tagsOf([rounds, other])), [[0, 1]]);
  });

  it("tell a receiver nothing of the words: other pairs and other batches have other tags of the same", () => {
    const rounds = [[Uint8Array.of(7), Uint8Array.of(8), Uint8Array.of(9)]];
    const seen = [rounds, rounds, rounds];
    const tags = [...tagsOf(seen), ...tagsOf(seen, "1/0/1"), ...tagsOf(seen)].flatMap((each) => [
      Buffer.from(each.subarray(0, 16)).toString("hex"),
      Buffer.from(each.subarray(16)).toString("hex"),
    ]);
    // Three runs of three pairs; each tag is there twice.
    assert.equal(new Set(tags).size, 9);
  });

  it("are refused where they are of another length", () => {
    assert.throws(
      () => differingPairs([new Uint8Array(16), new Uint8Array(32)]),
      /^RangeError: tags of party 1: expected 16 bytes, got 32$/,
    );
  });
});
