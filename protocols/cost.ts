import {
  addDependencies,
  create,
  divideDependencies,
  multiplyDependencies,
  parseDependencies,
  powDependencies,
  subtractDependencies,
} from "mathjs/number";
import type { EvalFunction } from "mathjs";

/** mathjs with what cost expressions use and nothing else: the whole library takes a second to load. */
const math = create({
  ...parseDependencies,
  ...addDependencies,
  ...subtractDependencies,
  ...multiplyDependencies,
  ...divideDependencies,
  ...powDependencies,
});

/**
 * What one step of one layer of a protocol costs, as expressions that mathjs parses. Tests evaluate them against the counters, the
 * planner evaluates the same ones ahead of a run, and the docs print them.
 */
export interface CostExpressions {
  /** Bytes of tensor payload, all parties summed. */
  readonly payloadBytes: string;
  /** Tensor messages, all parties summed. */
  readonly messages: string;
  /** Messages that must follow one another. */
  readonly rounds: string;
  /** Multiply-adds of the step's own work, all parties summed. */
  readonly multiplyAdds: string;
}

export type CostFigures = { readonly [figure in keyof CostExpressions]: number };

/** Named quantities that the expressions are written in. */
export type Quantities = { readonly [name: string]: number };

/** Expressions are those of the code, so there are no more than it has. */
const compiled = new Map<string, EvalFunction>();

/** The value of one expression. Throws an Error naming the expression if a quantity is missing or the result is not a number. */
export function evaluateCost(expression: string, quantities: Quantities): number {
  let evaluate = compiled.get(expression);
  if (evaluate === undefined) {
    evaluate = math.parse(expression).compile();
    compiled.set(expression, evaluate);
  }
  const value: unknown = evaluate.evaluate({ ...quantities });
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new Error(`cost ${expression}: expected a finite number, got ${String(value)}`);
  return value;
}

/** All figures of a step. */
export function evaluateCosts(cost: CostExpressions, quantities: Quantities): CostFigures {
  return {
    payloadBytes: evaluateCost(cost.payloadBytes, quantities),
    messages: evaluateCost(cost.messages, quantities),
    rounds: evaluateCost(cost.rounds, quantities),
    multiplyAdds: evaluateCost(cost.multiplyAdds, quantities),
  };
}
