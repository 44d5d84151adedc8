import type { StageEngine } from "../../../layers/stage-engine.ts";
import { LayerZeroDictionary, type DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import type { SumObservation, WIRE_ROUNDING } from "./sum-observation.ts";

/** What tokens would put into a layer's attention, known or estimated, and observations in the coordinates that it has values in. */
export interface TokenDictionary {
  /** Keys and values that tokens would have at a position. Throws RangeError for a token outside the vocabulary. */
  page(position: number, tokens: readonly number[]): Promise<DictionaryPage>;
  /** A page that was seen, its values in the dictionary's coordinates. */
  seenPage(page: DictionaryPage): DictionaryPage;
  /** An observation, its output in the dictionary's coordinates. */
  observation(seen: SumObservation): SumObservation;
}

/** Layer 0 in the clear: exact, values as they are. */
export function exactDictionary(engine: StageEngine, wire: keyof typeof WIRE_ROUNDING): TokenDictionary {
  const dictionary = new LayerZeroDictionary(engine, wire);
  return {
    page: (position, tokens) => dictionary.page(position, tokens),
    seenPage: (page) => page,
    observation: (seen) => seen,
  };
}
