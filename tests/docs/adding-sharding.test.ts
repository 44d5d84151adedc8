/** docs/ADDING.md, "A sharding", followed by the letter: it compiles and passes; each step that is left out is told as the page says. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { textOf } from "./page-commands.ts";
import { ScratchCheckout, stepsOf, type Outcome } from "./scratch-checkout.ts";

const LAWS = "tests/protocols/cascade/sharding.test.ts";
const PAGES = "tests/docs/pages.test.ts";

describe("a sharding by docs/ADDING.md", () => {
  const section = textOf("docs/ADDING.md").split("\n## A sharding\n")[1].split("\n## ")[0];
  const steps = stepsOf(section);
  const forgotten = [...section.matchAll(/^\| ([^|]+) \| `([^`]+)` \| `([^|]+)` \|$/gm)];
  const checkout = new ScratchCheckout();
  after(() => checkout.close());

  const asked = (command: string): Promise<Outcome> =>
    command === "npm run typecheck"
      ? checkout.compile(["protocols/cascade", "protocols/fusion/config", LAWS])
      : checkout.test(command.replace("npm test -- ", ""));

  it("compiles, keeps the laws of shardings, and has its row", async () => {
    assert.ok(steps.length >= 4);
    checkout.take(steps);
    for (const outcome of [await checkout.compile(), await checkout.test(LAWS), await checkout.test(PAGES)])
      assert.equal(outcome.failed, false, outcome.output);
  });

  it("is held to the laws", async () => {
    const wrong = steps.map((step) => ({ ...step, block: step.block.replace("parts - 1 - (t % parts)", "parts") }));
    assert.notDeepEqual(wrong, steps);
    checkout.take(wrong);
    const { failed, output } = await checkout.test(LAWS);
    assert.ok(failed && output.includes("partition every range of positions") && output.includes('"snake"'), output);
  });

  assert.equal(forgotten.length, steps.length, "expected a row of what is forgotten for each step");
  for (const [at, [, what, command, says]] of forgotten.entries())
    it(`without ${what} fails ${command}`, async () => {
      checkout.take(steps.filter((_, step) => step !== at));
      const { failed, output } = await asked(command);
      assert.ok(failed && output.includes(says), output);
    });
});
