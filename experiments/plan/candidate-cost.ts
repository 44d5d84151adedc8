/** What a candidate costs: of the whole session, all parties summed. */
export interface CandidateCost {
  /** Everything that is sent: `onlineBytes` and `dealtBytes`. */
  readonly payloadBytes: number;
  /** Sent while somebody waits. */
  readonly onlineBytes: number;
  /** Seeds and explicit words, which go ahead. */
  readonly dealtBytes: number;
  readonly messages: number;
  readonly rounds: number;
  readonly multiplyAdds: number;
  /** Of them, on words of layers under SMPC. */
  readonly smpcMultiplyAdds: number;
}
