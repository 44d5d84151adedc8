/** What an attack is: from what a party really received, with public knowledge, to ranked guesses of token ids. */
import type { Model } from "../../layers/model.ts";
import type { StageEngine } from "../../layers/stage-engine.ts";
import type { Schedule } from "../../protocols/cascade/schedule.ts";
import type { SessionDescription } from "../../protocols/fusion/session/session-description.ts";
import type { RecordedView } from "./views/recorded-view.ts";

/** What everyone knows: the weights, the session's public description and so its schedule. Never a prompt. */
export interface PublicKnowledge {
  readonly model: Model;
  /** float32 stages of the model, on one thread. */
  readonly engine: StageEngine;
  readonly description: SessionDescription;
  readonly schedule: Schedule;
}

/** What an attack may spend and which chance it draws from. */
export interface AttackBudget {
  /** Most candidate tokens that may be run through layers of the model; attacks that run none ignore it. */
  readonly forwardPasses: number;
  readonly seed: number;
}

/** What an attack says of a prompt. */
export interface Recovery {
  /** Position -> token ids, best guess first. A position without a guess is absent. */
  readonly guesses: ReadonlyMap<number, readonly number[]>;
  /** Positions whose first guess the attack itself holds proven (a residual at rounding level): checkable without the truth. */
  readonly certified: ReadonlySet<number>;
  /** Candidate tokens run through layers of the model. */
  readonly forwardPasses: number;
  /** Numbers that only this attack has, by name; a mean over prompts is reported. */
  readonly figures: Readonly<Record<string, number>>;
}

/** An attack made ready for one model and one setting: probes trained, thresholds calibrated on other prompts. */
export interface PreparedAttack {
  /** Attacks one view (of one party, or a coalition's union). */
  recover(view: RecordedView, knowledge: PublicKnowledge, budget: AttackBudget): Promise<Recovery>;
  /**
   * The prior-only control: the same attacker with the same known tokens (those that the view's party received as ids) and without any
   * row or partial result. What it recovers is not the view's leak.
   */
  prior(view: RecordedView, knowledge: PublicKnowledge, budget: AttackBudget): Promise<Recovery>;
  close(): Promise<void>;
}

/** Public text that probes learn from and thresholds are calibrated on: other prompts than those attacked. */
export interface TrainingText {
  readonly name: string;
  readonly documents: readonly string[];
}

/** What an attack is made ready with. */
export interface Preparation {
  readonly model: Model;
  readonly engine: StageEngine;
  readonly encode: (text: string) => number[];
  readonly training: TrainingText;
  /** Layer whose input rows (or whose q, k, v, partial results) are attacked. */
  readonly layer: number;
  /** Other prompts, with their recorded views in the very setting that is attacked, to calibrate thresholds on. */
  readonly calibration: readonly CalibrationPrompt[];
  readonly seed: number;
  readonly report: (doing: string) => void;
}

/** A prompt whose tokens the attacker knows, as seen in a session of its own. */
export interface CalibrationPrompt {
  readonly ids: readonly number[];
  readonly view: RecordedView;
}

/**
 * How far an attack goes with what it reads, from least to most: what a setting is not yet safe from when only weaker ones have been run.
 * Composed: no more than its parts, which its records name. Single rows: a row at a time. Filled gaps: guesses that rows choose among, without
 * proof. Matched rows: proven token by token, as long as gaps can be searched. Solved sums: tokens of other nodes out of sums over keys, at any
 * gap. Decoded rows: every token that a row depends on, out of the row alone.
 */
export const STRENGTHS = [
  "composed",
  "single rows",
  "filled gaps",
  "matched rows",
  "solved sums",
  "decoded rows",
] as const;

/**
 * What a party's view may hold for an attack to work on. Row: clear rows between layers. Sum: partial results or merged rows; first sum: those of layer 0 in the
 * clear. Projection: q, k and v rows. Share: shares and opened words. Taken: words and seeds of servers of delegated layers.
 */
export type ViewPart = "row" | "sum" | "first sum" | "projection" | "share" | "taken";

/** One attack of the lab; `options` are checked by its own schema when a config is read. */
export interface Attack<Options> {
  readonly name: string;
  readonly strength: (typeof STRENGTHS)[number];
  /** It can be run on a view that holds any of these. */
  readonly reads: readonly ViewPart[];
  /** Throws Error naming the key, what was expected and what came. */
  parseOptions(value: unknown): Options;
  prepare(preparation: Preparation, options: Options): Promise<PreparedAttack>;
}
