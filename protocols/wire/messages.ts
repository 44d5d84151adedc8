/**
 * Every tensor message of every protocol, in one table. A message that is not in it can't be sent and is refused on arrival.
 * The code travels in the frame header, the phase sorts the counters.
 */
export const MESSAGES = {
  /** Token ids of the rows that this CompNode owns: client -> CompNode, [rows, 1] int32. */
  ids: { code: 1, phase: "input" },
  /** Query rows: CompNode -> AttnNode, [rows, heads·headDim]. */
  q: { code: 2, phase: "pre-pass" },
  /** Key rows, then the value rows of the same positions: CompNode -> AttnNode, [2·rows, kvHeads·headDim]. */
  kv: { code: 3, phase: "pre-pass" },
  /** u of some query rows, then their m, then their e: AttnNode -> CompNode, rows·(heads·headDim + 2·heads) elements. */
  partial: { code: 4, phase: "attention-pass" },
  /** Rows after the last layer, for the LM head: CompNode -> client, [rows, d]. */
  hidden: { code: 5, phase: "output" },
  /** A sampled token id, where the LM head is at the CompNode: CompNode -> client, [1, 1] int32. */
  token: { code: 6, phase: "output" },
  /** What a party expands to its share of everything dealt: dealer -> SMPC party, once a session, [1, 32] bytes. */
  seed: { code: 7, phase: "deal" },
  /** Explicit words of a batch, piece `part`: dealer -> last SMPC party, [1, bytes] bytes. Layer: the segment's first. */
  dealt: { code: 8, phase: "deal" },
  /** Additive share of input rows, packed, or the seed of one: client or CompNode -> SMPC party, [1, bytes] bytes. */
  shares: { code: 9, phase: "share" },
  /** All openings of one round (`part`): SMPC party -> SMPC party, [1, bytes] bytes. Layer: the segment's first. */
  opened: { code: 10, phase: "online" },
  /** Tags of what was opened, shares of the receiver's rows and of their check words, packed: SMPC party -> CompNode or client, [1, bytes] bytes. Layer: the next one. */
  handover: { code: 11, phase: "handover" },
  /** What two AttnNodes of a query shard expand to masks that cancel: AttnNode (j, k) -> (j, k'), k < k', once a session, [1, 32] bytes. */
  pairseed: { code: 12, phase: "scale" },
  /** Log-sum-exp of one shard for some query rows, [rows, heads]: AttnNode (j, k) -> every (j, k') at work on them. */
  scale: { code: 13, phase: "scale" },
  /** Weighed results of some query rows in fixed point, masked: AttnNode -> CompNode, [rows, heads·headDim] int32. */
  masked: { code: 14, phase: "attention-pass" },
  /** What two SMPC parties expand to shares of zero: SMPC party p -> q, p < q, once a session, [1, 32] bytes. */
  zeroseed: { code: 15, phase: "deal" },
  /** What a party expands to its shares of all that the client gives in a step: client -> SMPC parties 1 and up, [1, 32] bytes. */
  takeseed: { code: 16, phase: "deal" },
  /** Shares of the client's numbers in one level (`part`), packed: client -> SMPC party 0, [1, bytes] bytes. Layer: the segment's first. */
  taken: { code: 17, phase: "take" },
  /** Top bits of shares in one level (`part`), packed: SMPC party -> client, [1, bytes] bytes. Layer: the segment's first. */
  given: { code: 18, phase: "give" },
  /** The same from a party whose shares come from seeds alone: it depends on no prompt, and is there ahead of time. */
  ahead: { code: 19, phase: "ahead" },
} as const satisfies Record<string, { code: number; phase: string }>;

export type Role = keyof typeof MESSAGES;
export type Phase = (typeof MESSAGES)[Role]["phase"];
