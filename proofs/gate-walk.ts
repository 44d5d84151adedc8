/**
 * Runs one gate's own code as dealer and as every party, without a network, on randomness that the caller chooses: what is proved of a
 * model is compared with it, and secrecy is counted on it. Dealt words are shared as the dealer shares them: all but the last party's
 * words are random, the last is explicit. A seed stands for random words here (the generator is taken as ideal).
 */
import type {
  AnyInstruction,
  DealerWalk,
  Gate,
  PartyWalk,
  PartyWire,
  PublicFactors,
} from "../protocols/smpc/plan/gate.ts";
import { maskedShare, sumMasked } from "../protocols/smpc/gates/open.ts";
import type { ValueId, ValueInfo } from "../protocols/smpc/plan/value.ts";
import { ring } from "../shares/ring.ts";
import { joinShares, splitWords, type UniformWords } from "../shares/sharing.ts";
import type { MaskedWords, MaskWords, ShareWords, Words } from "../shares/words.ts";

/** A wire as everybody together holds it. */
export interface OpenedWire {
  /** What each party sent. */
  readonly parts: readonly Words[];
  readonly masked: MaskedWords;
  readonly maskShares: readonly ShareWords[];
  readonly mask: MaskWords;
  readonly carry: Words;
}

/** Opens shares mod 2^bits with the functions of the gate `open`, under mask shares drawn from `random`, party by party. */
export function openShares(shares: readonly ShareWords[], bits: number, random: UniformWords): OpenedWire {
  const maskShares = shares.map(({ length }) => {
    const mask: Words = new BigUint64Array(length);
    random.fillWords(mask, bits);
    return mask as ShareWords;
  });
  const parts = shares.map((share, party) => maskedShare(share, maskShares[party], bits));
  const sum: Words = joinShares(maskShares, 64);
  const carry: Words = new BigUint64Array(sum.length);
  ring.shiftRight(carry, sum, 64, bits, 0n);
  return { parts, masked: sumMasked(parts, bits), maskShares, mask: joinShares(maskShares, bits) as MaskWords, carry };
}

export interface GateSetting {
  readonly values: readonly ValueInfo[];
  readonly parties: number;
  readonly random: UniformWords;
  readonly wires?: Readonly<Record<number, OpenedWire>>;
  readonly shares?: Readonly<Record<number, readonly Words[]>>;
  /** None: a gate that asks for some fails. */
  readonly factors?: PublicFactors;
}

export interface GateResult {
  /** Every party's words of each dealt array. */
  readonly dealt: ReadonlyMap<string, readonly Words[]>;
  /** The values that the dealer dealt. */
  readonly values: ReadonlyMap<string, Words>;
  /** Every party's share of the output, or its wire. */
  readonly outputs: readonly (Words | PartyWire)[];
}

/** Deals for and runs one local gate. Throws Error if it asks for what there isn't. */
export async function runGateCode<I extends AnyInstruction>(
  gate: Gate<I>,
  instruction: NoInfer<I>,
  setting: GateSetting,
): Promise<GateResult> {
  const { parties, random, values, wires = {}, shares = {}, factors = NO_FACTORS } = setting;
  const info = (id: ValueId): ValueInfo => values[id];
  const declared = gate.dealt(instruction, info);
  const dealtValues = new Map(declared.map(({ name, count }): [string, Words] => [name, new BigUint64Array(count)]));
  const filled = new Map<string, number>();
  const dealer: DealerWalk = {
    parties,
    info,
    kept: new Map(),
    mask: (id) => wires[id].mask.slice() as MaskWords,
    carry: (id) => wires[id].carry.slice(),
    setMask: () => {},
    deal(name, words) {
      const at = filled.get(name) ?? 0;
      dealtValues.get(name)!.set(words, at);
      filled.set(name, at + words.length);
    },
  };
  gate.dealer(instruction, dealer);
  const dealt = new Map(
    declared.map(({ name, bits, count }): [string, readonly Words[]] => {
      if (filled.get(name) !== count)
        throw new Error(`dealt ${name}: expected ${count} words, got ${filled.get(name)}`);
      return [name, splitWords(dealtValues.get(name)!, bits, parties, random)];
    }),
  );
  const outputs: (Words | PartyWire)[] = [];
  for (let party = 0; party < parties; party++) {
    const walk: PartyWalk = {
      party,
      parties,
      factors,
      kept: new Map(),
      info,
      share: (id) => shares[id][party] as ShareWords,
      wire: (id) => ({ masked: wires[id].masked, mask: wires[id].maskShares[party] }),
      setShare: (_, words) => (outputs[party] = words),
      setWire: (_, wire) => (outputs[party] = wire),
      dealt(name) {
        const words = dealt.get(name)![party];
        let at = 0;
        return {
          next(out) {
            out.set(words.subarray(at, at + out.length));
            at += out.length;
          },
          nextPacked(count) {
            const { bits } = declared.find((array) => array.name === name)!;
            const bytes = ring.pack(words.subarray(at, at + count), bits);
            at += count;
            return { bytes, bitOffset: 0 };
          },
        };
      },
    };
    await gate.party(instruction, walk);
  }
  return { dealt, values: dealtValues, outputs };
}

const NO_FACTORS: PublicFactors = {
  multiply: () => Promise.reject(new Error("gate walk: expected a gate without public matrices")),
  bias: () => null,
  vector: () => {
    throw new Error("gate walk: expected a gate without public vectors");
  },
  table: ({ make }) => make(),
};
