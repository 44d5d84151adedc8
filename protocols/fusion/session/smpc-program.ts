/**
 * What the SMPC part of a session computes: its segments' plans, step by step, and the public integers in them. Parties, dealer and
 * client each make it from the public description and the public weights; hashes tell whether they made the same.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { columnSquares, type ColumnSquares } from "../../../layers/column-squares.ts";
import { prefixKeysAndValues } from "../../../layers/prefix/prefix-keys-and-values.ts";
import { prefixHash } from "../../../layers/prefix/public-prefix.ts";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { Schedule } from "../../cascade/schedule.ts";
import type { Segment } from "../../cascade/segments.ts";
import { rangeOfSite } from "../../smpc/calibration/margins.ts";
import type { Plan } from "../../smpc/plan/instruction.ts";
import { LayerWeights, type WeightedModel } from "../../smpc/factors/layer-weights.ts";
import { fitAhead } from "../../smpc/lowering/fit-ahead.ts";
import { lowerLayers, refuseRanges, type LayerRun } from "../../smpc/lowering/lower-layers.ts";
import { PRECISIONS } from "../../smpc/lowering/precision.ts";
import type { SegmentFormat, SmpcPlacement } from "../../smpc/plan/placement.ts";
import { answersAhead } from "../../smpc/plan/plan-cost.ts";
import { planFormat } from "../../smpc/plan/plan-format.ts";
import { ModelClientFactors } from "../../smpc/factors/client-factors.ts";
import { BY_CLIENT, BY_PARTIES, isDelegated } from "../../smpc/lowering/evaluators.ts";
import type { ParameterStatistics } from "../../smpc/factors/parameter-statistics.ts";
import { UnitStatistics } from "../../smpc/factors/unit-statistics.ts";
import { ModelFactors } from "../../smpc/factors/public-factors.ts";
import { PublicMatrix } from "../../smpc/factors/public-matrix.ts";

/** Plans of the steps of one segment that are kept: those that the parties run, that the dealer deals ahead, and the prompt's. */
const MOST_PLANS = 4;
/** Programs that are kept for the other parties of this process, and for the next session of the same shape. */
const MOST_PROGRAMS = 2;

/** Name of the hash of public integers. */
export const INTEGERS = "smpc public integers";

/** Of a party: the parties of a session share the cores of few machines. */
const PRODUCT_THREADS = 1;

const programs = new WeakMap<WeightedModel, Map<string, Promise<SmpcProgram>>>();

/** What the plans of a session depend on beside the model. */
export const programSetting = ({
  smpc,
  output,
  head,
  publicPrefix,
}: {
  readonly smpc: Omit<ProgramSetting, "clientEnds" | "publicPrefix">;
  readonly publicPrefix: readonly number[];
  readonly output: "last" | "all";
  readonly head: "client" | "compnode";
}): ProgramSetting => {
  const { layers, evaluators, headEvaluator, precision, trade, ranges } = smpc;
  const clientEnds = output === "all" || head === "client";
  return { layers, evaluators, head: smpc.head, headEvaluator, precision, trade, ranges, clientEnds, publicPrefix };
};

/** What the plans depend on beside the model. */
export type ProgramSetting = Pick<
  SmpcPlacement,
  "layers" | "evaluators" | "head" | "headEvaluator" | "precision" | "trade" | "ranges"
> & {
  /** Rows come from the client and go to it, where no CompNode is before or after. */
  readonly clientEnds: boolean;
  /** Token ids. */
  readonly publicPrefix: readonly number[];
};

export class SmpcProgram {
  /** SMPC segments, in order. */
  readonly segments: readonly Segment[];
  readonly factors: ModelFactors;
  /** What a client that evaluates gates needs of the model. */
  readonly clientFactors: ModelClientFactors;
  readonly #model: WeightedModel;
  readonly #weights: LayerWeights;
  readonly #schedule: Schedule;
  readonly #setting: ProgramSetting;
  readonly #plans: readonly Map<number, Plan>[];
  #promptHash = "";
  /** Of when the program was opened: later steps may make integers of their own, at one party and not yet at another. */
  #integersHash: string | null = null;

  private constructor(
    model: WeightedModel,
    weights: LayerWeights,
    product: Float64Product,
    schedule: Schedule,
    setting: ProgramSetting,
    squares: ColumnSquares | null,
  ) {
    this.#model = model;
    this.#weights = weights;
    this.#schedule = schedule;
    this.#setting = setting;
    this.segments = schedule.segments.filter(({ kind }) => kind === "smpc");
    this.#plans = this.segments.map(() => new Map());
    this.factors = new ModelFactors(
      weights.parameter,
      (integers, inputs, outputs) => new PublicMatrix(integers, inputs, outputs, product),
    );
    this.clientFactors = new ModelClientFactors(weights.parameter, squares ?? undefined);
  }

  /** Makes the prompt's plans and, where this party `multiplies`, their integers; in between the process answers its peers. */
  async #prepare(multiplies: boolean, onStep: (text: string) => void): Promise<this> {
    const hash = createHash("sha256");
    for (const [index, segment] of this.segments.entries()) {
      await fitAhead(this.#run(segment, 0), onStep);
      const plan = this.plan(index, 0);
      if (multiplies) for (const _ of this.factors.preparing(plan)) await setImmediate();
      hash.update(JSON.stringify(plan));
    }
    this.#promptHash = hash.digest("hex");
    this.#integersHash = multiplies ? this.factors.hash() : null;
    return this;
  }

  /**
   * The program of a session; loads the weights of its layers, and keys and values of the public prefix (ids as long as the schedule says).
   * `multiplies`: it is a party's, which multiplies by matrices; those of delegated layers are not loaded for anybody else.
   * `onStep` is told of every layer that is planned. Throws RingBudgetError, before any weight is read where ranges alone tell, or Error
   * naming a site without a range.
   */
  static async open(
    model: WeightedModel,
    schedule: Schedule,
    setting: ProgramSetting,
    multiplies = true,
    onStep: (text: string) => void = () => {},
  ): Promise<SmpcProgram> {
    const { layers, head, ranges, evaluators, publicPrefix } = setting;
    const delegated = new Set(multiplies ? [] : layers.filter((_, at) => isDelegated(evaluators[at])));
    if (publicPrefix.length !== schedule.prefixLength)
      throw new Error(`public prefix: expected ${schedule.prefixLength} tokens, got ${publicPrefix.length}`);
    if (ranges.model !== model.fingerprint)
      throw new Error(`ranges: expected those of model ${model.fingerprint}, got ${ranges.model}`);
    let known = programs.get(model);
    if (known === undefined) programs.set(model, (known = new Map()));
    const key = JSON.stringify([
      { ...setting, publicPrefix: prefixHash(publicPrefix) },
      delegated.size > 0,
      schedule.stepRange(0),
      schedule.length,
    ]);
    let program = known.get(key);
    if (program === undefined) {
      const statistics = new UnitStatistics((name) => model.parameters.get(name)?.spec.shape ?? [1, 1]);
      for (const segment of schedule.segments)
        if (segment.kind === "smpc") refuseRanges(layerRun(model, statistics, schedule, setting, segment, [0, 1]));
      const opened = async (): Promise<LayerWeights> =>
        LayerWeights.open(model, layers, head, {
          prefix: publicPrefix.length === 0 ? null : await prefixKeysAndValues(model, publicPrefix),
          withoutMatrices: delegated,
        });
      program = Promise.all([opened(), openProduct(), delegated.size > 0 ? columnSquares(model) : null]).then(
        ([weights, product, squares]) =>
          new SmpcProgram(model, weights, product, schedule, setting, squares).#prepare(squares === null, onStep),
      );
      known.set(key, program);
      const made = known;
      program.catch(() => made.delete(key));
      for (const oldest of known.keys()) {
        if (known.size <= MOST_PROGRAMS) break;
        known.delete(oldest);
      }
    }
    return program;
  }

  /** The plan of an SMPC segment (by its index) in a step. */
  plan(segment: number, step: number): Plan {
    const plans = this.#plans[segment];
    let plan = plans.get(step);
    if (plan === undefined) {
      plans.set(step, (plan = this.#lower(this.segments[segment], step)));
      for (const oldest of plans.keys()) {
        if (plans.size <= MOST_PLANS) break;
        if (oldest !== 0) plans.delete(oldest);
      }
    }
    return plan;
  }

  /** The plan of an SMPC segment for the rows of steps [from, to), where each attends at the client: the parties multiply them together. */
  planOf(segment: number, from: number, to: number): Plan {
    return to === from + 1 ? this.plan(segment, from) : this.#lower(this.segments[segment], from, to);
  }

  /** Do parties 1 and up need nothing but seeds? */
  get answersAhead(): boolean {
    return this.segments.every((_, index) => answersAhead(this.plan(index, 0)));
  }

  /** Does the client evaluate any gate? */
  get hasClientGates(): boolean {
    return this.segments.some((_, index) => this.plan(index, 0).instructions.some(({ gate }) => gate === "take"));
  }

  /** How shares enter and leave each segment, wide enough for every step. */
  formats(): SegmentFormat[] {
    return this.segments.map((_, index) => {
      const steps = new Set([0, 1, this.#schedule.steps - 1].filter((step) => step < this.#schedule.steps));
      const formats = [...steps].map((step) => {
        const [from, to] = this.#schedule.stepRange(step);
        return planFormat(this.plan(index, step), to - from);
      });
      return { ...formats[0], inputBits: Math.max(...formats.map(({ inputBits }) => inputBits)) };
    });
  }

  /** Throws Error where a description says otherwise how shares enter and leave: rows would come out wrong. */
  checkFormats(formats: readonly SegmentFormat[]): void {
    this.formats().forEach((mine, index) => {
      for (const field of Object.keys(mine) as (keyof SegmentFormat)[]) {
        const [expected, got] = [JSON.stringify(mine[field]), JSON.stringify(formats[index]?.[field])];
        if (expected !== got)
          throw new Error(`smpc formats[${index}].${field}: expected ${expected} (mine), got ${got}`);
      }
    });
  }

  /**
   * What parties compare when a session opens: the plans of the prompt, and every public integer in them, which who doesn't multiply may
   * not have.
   */
  hashes(): Record<string, string> {
    const integers = this.#integersHash;
    return { "smpc plan": this.#promptHash, ...(integers === null ? {} : { [INTEGERS]: integers }) };
  }

  /** SHA-256 (hex) of the prompt's plans: batches belong to it. */
  get planHash(): string {
    return this.#promptHash;
  }

  /** Of a step, or of steps [step, endStep) together. */
  #lower(segment: Segment, step: number, endStep = step + 1): Plan {
    return lowerLayers(this.#run(segment, step, endStep));
  }

  #run(segment: Segment, step: number, endStep = step + 1): LayerRun {
    const { statistics } = this.#weights;
    return layerRun(this.#model, statistics, this.#schedule, this.#setting, segment, [step, endStep]);
  }
}

/** What is lowered of a segment for steps [step, endStep). */
function layerRun(
  { spec, program }: WeightedModel,
  statistics: ParameterStatistics,
  schedule: Schedule,
  setting: ProgramSetting,
  { from, to }: Segment,
  [step, endStep]: readonly [number, number],
): LayerRun {
  const { ranges, head, precision, trade, layers, evaluators, headEvaluator, clientEnds } = setting;
  const { prefixLength: prefix } = schedule;
  const [first] = schedule.stepRange(step);
  const [, end] = schedule.stepRange(endStep - 1);
  return {
    spec,
    program,
    statistics,
    ranges: rangeOfSite(ranges),
    from,
    to,
    head: head && to === spec.layers,
    prefix,
    rows: end - first,
    past: first - prefix,
    sequenceLimit: schedule.length,
    precision: PRECISIONS[precision],
    trade,
    evaluators: (layer) => evaluators[layers.indexOf(layer)],
    headEvaluators: headEvaluator === "client" ? BY_CLIENT : BY_PARTIES,
    clientEnds,
  };
}

let product: Promise<Float64Product> | null = null;

/** One for all programs, kept as long as the process: two graphs of one product each, without weights. */
export const openProduct = (): Promise<Float64Product> => (product ??= Float64Product.open(PRODUCT_THREADS));
