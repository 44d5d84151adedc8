/** docs/ADDING.md, "A gate", followed by the letter: it compiles and passes; what is left out of it is told as the page says. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { textOf } from "./page-commands.ts";
import { ScratchCheckout, stepsOf, type Outcome, type Step } from "./scratch-checkout.ts";

const REGISTRY = "tests/protocols/smpc/gate-registry.test.ts";
const CONFORMANCE = "tests/protocols/smpc/conformance.test.ts";
const PAGES = "tests/experiments/cost-page.test.ts";
const WRITTEN = ["docs/costs.md", "docs/smpc.md"];
/** What the compiler is asked about where a step is left out: all that knows gates by their names. */
const COMPILED = ["protocols/smpc", "tests/protocols/smpc/gate-programs.ts"];

describe("a gate by docs/ADDING.md", () => {
  const section = textOf("docs/ADDING.md").split("\n## A gate\n")[1].split("\n## ")[0];
  const steps = stepsOf(section);
  const own = steps[steps.length - 1].file;
  const [lefts, changes] = section.split("\n| forgotten ")[1].split("\n| in place of ");
  const forgotten = [...lefts.matchAll(/^\| ([^|]+) \| `([^`]+)` \| `([^|]+)` \|$/gm)];
  const changed = [...changes.matchAll(/^\| `([^|]+)` \| (?:`([^|]+)`)? ?\| `([^`]+)` \| `([^|]+)` \|$/gm)];
  const checkout = new ScratchCheckout();
  after(() => checkout.close());

  const asked = (command: string): Promise<Outcome> =>
    command === "npm run typecheck" ? checkout.compile(COMPILED) : checkout.test(command.replace("npm test -- ", ""));
  const told = async (taken: readonly Step[], command: string, says: string): Promise<void> => {
    checkout.take(taken);
    const { failed, output } = await asked(command);
    assert.ok(failed && output.includes(says), output);
  };

  it("compiles, is what the registry asks for, runs between parties and has its rows", async () => {
    assert.ok(section.includes("npm run docs:costs"));
    checkout.take(steps);
    for (const outcome of [
      await checkout.compile(),
      await checkout.test(own),
      await checkout.test(REGISTRY),
      await checkout.test(CONFORMANCE, "^decay, 3 parties"),
      await checkout.script("docs:costs", WRITTEN),
      await checkout.test(PAGES),
    ])
      assert.equal(outcome.failed, false, outcome.output);
  });

  assert.equal(forgotten.length, steps.length + 1, "expected a row for each step that is forgotten, and for the pages");
  for (const [at, [, what, command, says]] of forgotten.entries())
    it(`without ${what} fails ${command}`, () =>
      told(
        steps.filter((_, step) => step !== at),
        command,
        says,
      ));

  assert.ok(
    changed.length >= 8 && changed.length === changes.split("\n| `").length - 1,
    "expected all rows to be read",
  );
  for (const [, from, to = "", command, says] of changed)
    it(`with ${to === "" ? "no" : to + " for"} ${from} fails ${command}`, () => {
      const wrong = steps.map((step, at) => (at === 0 ? { ...step, block: step.block.replace(from, to) } : step));
      assert.notDeepEqual(wrong, steps);
      return told(wrong, command, says);
    });
});
