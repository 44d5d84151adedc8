import { z } from "zod";

/** The JSON of `weir prove`. */
export const proofRecord = z.strictObject({
  ok: z.boolean().describe("is every lemma as it must be"),
  seconds: z.number(),
  plans: z.array(z.string()).describe("plans in use, at whose widths lemmas are compared with the code"),
  plansLeftOut: z.array(z.string()).describe("plans that fit into no ring, with the reason"),
  lemmas: z.array(
    z.strictObject({
      name: z.string(),
      statement: z.string(),
      widths: z.string().describe("for which rings, wires and parties"),
      expected: z.enum(["proved", "refuted"]).describe("refuted: a statement that must not hold"),
      verdict: z.enum(["proved", "refuted", "undecided"]),
      ok: z.boolean().describe("is the verdict the expected one"),
      cases: z.int().describe("queries to the solver, or distributions that were compared"),
      seconds: z.number(),
      failure: z
        .string()
        .nullable()
        .describe("the first counterexample, or what kept the solver from an answer; null where ok"),
    }),
  ),
});

export type ProofRecord = z.infer<typeof proofRecord>;
