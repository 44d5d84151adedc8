import { z } from "zod";

/** Groups of operations that are not linear: softmax and its products, norms, activations with elementwise products and soft caps. */
export const GROUPS = ["attention", "norm", "activation"] as const;

export type Group = (typeof GROUPS)[number];

const evaluator = z.enum(["parties", "client"]);

/** Who evaluates each group of a layer on shares: the parties, on masked wires, or the client, who gets the values. */
export const evaluators = z.strictObject({ attention: evaluator, norm: evaluator, activation: evaluator });

export type Evaluators = z.infer<typeof evaluators>;

/** The parties evaluate everything. */
export const BY_PARTIES: Evaluators = { attention: "parties", norm: "parties", activation: "parties" };

/** The client evaluates everything: a delegated layer, of which the parties multiply by matrices alone. */
export const BY_CLIENT: Evaluators = { attention: "client", norm: "client", activation: "client" };

/** What a placement says where the parties evaluate everything of some layers. */
export const allByParties = (
  layers: number,
): { readonly evaluators: Evaluators[]; readonly headEvaluator: "parties" } => ({
  evaluators: Array.from({ length: layers }, () => BY_PARTIES),
  headEvaluator: "parties",
});

/** Does the client evaluate everything? */
export const isDelegated = (of: Evaluators): boolean => GROUPS.every((group) => of[group] === "client");
