/** What one generation took: the figures that placements are compared by. */
export interface TimedGeneration {
  /** Of the prompt: public ones, and all. */
  readonly publicTokens: number;
  readonly promptTokens: number;
  /** Generated. */
  readonly tokens: number;
  /** From the open session. */
  readonly firstTokenSeconds: number;
  /** Of each token after the first. */
  readonly secondsPerToken: number;
  /** Of this process, opening of the session included, and of all processes from the session's opening on. */
  readonly clientCpuSeconds: number;
  readonly allCpuSeconds: number;
  /** Payload of all parties by phase; empty phases left out. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Longest chain of messages. */
  readonly rounds: number;
}
