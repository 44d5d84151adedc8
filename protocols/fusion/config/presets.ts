/** Named run configs: what `--preset NAME` stands for. A preset is an entry of this table. */

/** Keys of a run config that a preset may say. */
interface PresetConfig {
  readonly placement: string;
  readonly head?: "client";
}

export interface Preset {
  /** For a help text. */
  readonly says: string;
  readonly config: PresetConfig;
}

export type PresetName = "hybrid" | "hidden" | "cascade" | "smpc" | "plain";

export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  hybrid: {
    // finding: 4
    says: "layer 0 under SMPC and the others in Cascade: shows both, hides no prompt",
    config: { placement: "first:1=smpc" },
  },
  hidden: {
    // proof: secrecy of a server; record: cells-taken-words.ndjson: verdict == no leak found
    says: "all layers delegated, so that no single party learns more than lengths",
    config: { placement: "all=delegated", head: "client" },
  },
  // finding: 4
  cascade: { says: "all layers in Cascade: hides no prompt", config: { placement: "all=cascade" } },
  smpc: {
    // proof: secrecy of open; record: cells-share-words.ndjson: verdict == no leak found
    says: "all layers under SMPC, without the client's help: hides as hidden does",
    config: { placement: "all=smpc" },
  },
  plain: { says: "the model alone in this process, without parties", config: { placement: "all=plain" } },
};

/** The one that hides a prompt at the least bytes. */
export const HIDING_PRESET: PresetName = "hidden";

export const PRESET_NAMES = Object.keys(PRESETS) as [PresetName, ...PresetName[]];

/** The preset that says this placement; null: none does. */
export const presetOf = (placement: string): PresetName | null =>
  PRESET_NAMES.find((name) => PRESETS[name].config.placement === placement) ?? null;

/** Keys of which a config says one at most: two ways to say the same. */
const PLACEMENT_KEYS = ["placement", "smpcLayers"] as const;

type Keys = Readonly<Record<string, unknown>>;

/** What a config's keys are together with those of its preset, which they go over. A preset that there isn't is left to its schema. */
export function withPreset(keys: Keys): Keys {
  const name = String(keys.preset);
  return Object.hasOwn(PRESETS, name) ? over({ ...PRESETS[name as PresetName].config }, keys) : keys;
}

/** Two levels of a config, such as a file and flags: what `upper` and its preset say goes over `lower` and its preset. */
export const configOver = (lower: Keys, upper: Keys): Keys => over(withPreset(lower), withPreset(upper));

function over(lower: Keys, upper: Keys): Keys {
  const isPlacement = (key: string): boolean => PLACEMENT_KEYS.some((other) => other === key);
  const placed = PLACEMENT_KEYS.some((key) => upper[key] !== undefined);
  const kept = Object.entries(lower).filter(([key]) => !(placed && isPlacement(key)));
  return { ...Object.fromEntries(kept), ...upper };
}

/**
 * A run that doesn't say where layers are computed, with a preset that does: hybrid on the model that comes with weir, which has its
 * ranges beside it; else cascade. A topology's parties are what it says.
 */
export function withDefaultPreset<
  C extends { readonly [key in "placement" | "smpcLayers" | "model" | "topology"]?: string },
>(config: C): C & { readonly preset?: PresetName } {
  if (PLACEMENT_KEYS.some((key) => config[key] !== undefined)) return config;
  const preset = config.model === undefined && config.topology === undefined ? "hybrid" : "cascade";
  return { ...config, preset, ...PRESETS[preset].config };
}
