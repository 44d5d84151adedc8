/** Where an SMPC party can be stopped and timed: a bench waits here and reads its clocks. */
export interface SmpcPhases {
  /** Batch and shares of a segment and step are there; the online phase begins once this resolves. */
  beforeOnline(step: number, segment: number): Promise<void>;
  /** The online phase is over; rows are handed over once this resolves. */
  afterOnline(step: number, segment: number): Promise<void>;
}
