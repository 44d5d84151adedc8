/** What the words of a run's tables mean, in the order in which they are listed. */
import type { Phase } from "../../wire/messages.ts";
import type { ExposureKind } from "./ledger.ts";

/** Why bytes travel. */
export const PHASE_MEANINGS: Readonly<Record<Phase, string>> = {
  deal: "randomness that does not depend on the prompt, from who deals to the SMPC parties",
  share: "additive shares of rows, into the SMPC parties",
  online: "masked words that the SMPC parties open to one another",
  take: "the client's numbers less a uniform mask, to the first SMPC party",
  give: "answers of the SMPC parties, to the client",
  ahead: "answers that depend on no prompt, from the other SMPC parties to the client, ahead of time",
  handover: "shares of rows, out of the SMPC parties to who goes on with them",
  input: "token ids, from the client to the CompNodes",
  "pre-pass": "q, k and v rows, from CompNodes to AttnNodes",
  scale: "log-sum-exps and seeds of masks between AttnNodes, where merges are masked",
  "attention-pass": "each AttnNode's attention results, back to the CompNodes",
  output: "rows after the last layer, or the token, to the client",
};

/** As what a party saw positions. */
export const KIND_MEANINGS: Readonly<Record<ExposureKind, string>> = {
  id: "the token itself, as its id",
  token: "a generated token",
  row: "the position's row between two layers",
  q: "its query row",
  k: "its key row",
  v: "its value row",
  attended: "its row after attention, merged over all shards",
  logits: "the logits of the token after it",
  partial: "rows for which one shard's attention result came",
  summed: "positions whose k and v are in one shard's attention result, with others'",
  revealed: "positions alone in one shard's attention result, which is then their v row",
  merged: "positions whose k and v are only in sums over all that a row sees",
  scale: "rows for which another shard's log-sum-exp came",
  weighed: "positions whose k is in another shard's log-sum-exp, with others'",
  logit: "positions alone in another shard's log-sum-exp",
  // proof: secrecy of share; record: cells-share-words.ndjson: verdict == no leak found
  share: "an additive share, which says nothing without all the others",
  // proof: secrecy of open; test: tests/protocols/smpc/opened-words.test.ts "every opened wire is uniform, whatever the prompt is"
  masked: "words plus a uniform mask, which say nothing",
  unscheduled: "a message that the schedule does not know",
};

/** Bytes beside the payload. */
export const FRAMING_MEANING = "headers of frames and WebSockets, beside the payload";

const ORDER = Object.keys(KIND_MEANINGS);

/** Kinds in the order of their list. */
export const inOrder = (kinds: Iterable<string>): string[] =>
  [...kinds].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
