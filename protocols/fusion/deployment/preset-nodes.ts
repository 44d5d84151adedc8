import { PRESETS, type PresetName } from "../config/presets.ts";
import { isPlain, layersOnShares } from "../session/layer-placement.ts";

/** Nodes of a topology; `parties`: SMPC parties, 0 for none. */
export interface NodeCounts {
  readonly alpha: number;
  readonly beta: number;
  readonly parties: number;
  readonly dealer: boolean;
}

/** More than any model has: a preset's placement holds for each. */
const MANY_LAYERS = 4096;

/** Fewest parties that shares are between. */
const LEAST_PARTIES = 2;

/**
 * Of these nodes, those that a preset needs on any model: none of Cascade where all layers are on shares, no SMPC parties where none are,
 * and two where `wanted` has none. Throws Error for a preset without parties.
 */
export function presetNodes(preset: PresetName, wanted: NodeCounts): NodeCounts {
  const { placement } = PRESETS[preset].config;
  if (isPlain(placement))
    throw new Error(`preset: expected one whose layers parties compute, got ${preset}, which has none`);
  const onShares = layersOnShares(placement, MANY_LAYERS).layers.length;
  const cascade = onShares < MANY_LAYERS ? {} : { alpha: 0, beta: 0 };
  const secret = onShares > 0 ? { parties: wanted.parties || LEAST_PARTIES } : { parties: 0, dealer: false };
  return { ...wanted, ...cascade, ...secret };
}
