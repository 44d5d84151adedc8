/** The positive control of views under SMPC: what a party would see if the masks of the shared rows were too short. */
import { createHash } from "node:crypto";
import { Generator } from "../../../shares/generator.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { CLIENT } from "../../../protocols/cascade/party-name.ts";
import type { SegmentFormat } from "../../../protocols/smpc/plan/placement.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

/**
 * A view of the last SMPC party in which the client's rows [N, d] are masked by `maskBits` bits instead of the whole word: insecure, and
 * to be found by an attack.
 */
export function insecureShortMask(
  view: RecordedView,
  rows: ArrayLike<number>,
  { inputBits, inputFracBits }: SegmentFormat,
  maskBits: number,
  seed: number,
): RecordedView {
  const words: Words = new BigUint64Array(rows.length);
  ring.encode(words, rows, inputFracBits);
  const masks: Words = new BigUint64Array(rows.length);
  new Generator(createHash("sha256").update(`short mask ${seed}`).digest(), "short mask").fillWords(masks, maskBits);
  for (let i = 0; i < words.length; i++) words[i] = BigInt.asUintN(inputBits, words[i] + masks[i]);
  const data = ring.pack(words, inputBits);
  return view.map((tensor) => (tensor.kind === "shares" && tensor.peer === CLIENT ? data : tensor.data));
}
