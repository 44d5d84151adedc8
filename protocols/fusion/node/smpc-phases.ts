/** Where an SMPC party can be stopped and timed: a bench waits here and reads its clocks. */
export interface SmpcPhases {
  /**
   * Batch and shares of a segment and step are there; the online phase begins once this resolves, or that of answers ahead of time, of this
   * step and those that are answered with it.
   */
  beforeOnline(step: number, segment: number): Promise<void>;
  /** That phase is over; rows are handed over once this resolves. */
  afterOnline(step: number, segment: number): Promise<void>;
}
