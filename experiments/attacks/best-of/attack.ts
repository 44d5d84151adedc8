/**
 * Several attacks on one view, put together: what collusion studies and verdicts use, because a verdict is the best of the attackers.
 *
 * Functionality: each attack runs with an equal part of the budget; a position takes the guesses that an attack holds proven, else those
 *   of the first attack in the list that has any, then those of the others.
 * Needs: what its attacks need. Cost: the sum of theirs. Reference: docs/attacks.md, "Verdicts".
 * Controls: those of its attacks, run together. Test: tests/experiments/attacks/best-of.test.ts
 */
import { z } from "zod";
import type { Attack, AttackBudget, PreparedAttack, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { parseOptions } from "../../lab/parse-options.ts";

const schema = z.strictObject({
  attacks: z
    .array(z.strictObject({ name: z.string(), options: z.record(z.string(), z.unknown()).default({}) }))
    .min(1)
    .describe("attacks in the order in which they are believed"),
});

/** The combined attack; `named` finds its parts. */
export function bestOf(named: (name: string) => Attack<unknown>): Attack<z.infer<typeof schema>> {
  return {
    name: "best-of",
    strength: "composed",
    reads: [],
    parseOptions(value) {
      const options = parseOptions("best-of", schema, value);
      for (const part of options.attacks) named(part.name).parseOptions(part.options);
      return options;
    },
    async prepare(preparation, { attacks }) {
      const prepared: PreparedAttack[] = [];
      const close = async (): Promise<void> => {
        await Promise.all(prepared.map((part) => part.close()));
      };
      try {
        for (const { name, options } of attacks) {
          const part = named(name);
          prepared.push(await part.prepare(preparation, part.parseOptions(options)));
        }
      } catch (error) {
        await close();
        throw error;
      }
      const all =
        (way: "recover" | "prior") =>
        async (view: RecordedView, knowledge: PublicKnowledge, budget: AttackBudget): Promise<Recovery> => {
          const part = { ...budget, forwardPasses: Math.max(1, Math.floor(budget.forwardPasses / prepared.length)) };
          const recoveries: Recovery[] = [];
          for (const attack of prepared) recoveries.push(await attack[way](view, knowledge, part));
          return together(recoveries);
        };
      return { recover: all("recover"), prior: all("prior"), close };
    },
  };
}

/** Recoveries of one prompt as one: proven guesses first, then by the order of the list. */
export function together(recoveries: readonly Recovery[]): Recovery {
  const guesses = new Map<number, number[]>();
  const certified = new Set<number>();
  const take = (recovery: Recovery, wanted: (position: number) => boolean): void => {
    for (const [position, ids] of recovery.guesses) {
      if (!wanted(position)) continue;
      const earlier = guesses.get(position) ?? [];
      guesses.set(position, [...earlier, ...ids.filter((id) => !earlier.includes(id))]);
    }
  };
  for (const recovery of recoveries) {
    take(recovery, (position) => recovery.certified.has(position));
    for (const position of recovery.certified) certified.add(position);
  }
  for (const recovery of recoveries) take(recovery, (position) => !recovery.certified.has(position));
  return {
    guesses,
    certified,
    forwardPasses: recoveries.reduce((sum, { forwardPasses }) => sum + forwardPasses, 0),
    figures: Object.assign({}, ...recoveries.map(({ figures }) => figures)) as Recovery["figures"],
  };
}
