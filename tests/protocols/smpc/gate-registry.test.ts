import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { evaluateCost } from "../../../protocols/cost.ts";
import { gates } from "../../../protocols/smpc/gates/registry.ts";
import { gateOf } from "../../../protocols/smpc/plan/gate-of.ts";
import type { AnyInstruction, Gate, GateCost } from "../../../protocols/smpc/plan/gate.ts";
import type { GateName, Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { PROVED_WIDTHS } from "../../../protocols/smpc/plan/proved-widths.ts";
import type { InfoOf } from "../../../protocols/smpc/plan/value.ts";
import type { ClientValues } from "../../../protocols/smpc/run/client-values.ts";
import { runClear } from "../../../protocols/smpc/run/clear-run.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { missingHeaders, missingTests } from "../../house/house-rules.ts";
import { DeclaredReads } from "./declared-reads.ts";
import { clientFactors, gateFactors, gateProgram } from "./gate-programs.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../../..");
const FOLDER = "protocols/smpc/gates";

/** Files that gates share, which are no gates of their own. */
const NO_GATES = new Set(["registry.ts"]);

const files = readdirSync(path.join(CHECKOUT, FOLDER)).filter((file) => !NO_GATES.has(file));
const sources = new Map(
  files.map((file) => [`${FOLDER}/${file}`, readFileSync(path.join(CHECKOUT, FOLDER, file), "utf8")]),
);
const isGate = (file: string): boolean => /export const [\w-]+: Gate</.test(sources.get(`${FOLDER}/${file}`)!);
const NAMES = Object.keys(gates) as GateName[];

const programOf = (name: GateName) => gateProgram(name, { wireBits: 16, ringBits: 40 }, "registry");
const infoOf =
  ({ values }: Plan): InfoOf =>
  (id) =>
    values[id];
/** The instructions of a gate in its program, and its output's where it is the program's end. */
const instructionsOf = (name: GateName, { instructions }: Plan): Instruction[] =>
  instructions.filter(({ gate }) => gate === name);

describe("the gates", () => {
  it("are all registered under their own name, one a file", () => {
    const registered = Object.entries(gates).map(([name, gate]) => {
      assert.equal(gate.name, name);
      return `${name}.ts`;
    });
    assert.deepEqual(registered.sort(), files.filter(isGate).sort());
  });

  it("open with what they do, who does it, what leaks, what they assume, cost and bound", () => {
    assert.deepEqual(missingHeaders(sources), []);
  });

  it("name a test that there is", () => {
    const tests = readdirSync(path.join(CHECKOUT, "tests"), { recursive: true, encoding: "utf8" });
    const there = tests.map((file) => [`tests/${file.replaceAll(path.sep, "/")}`, ""] as const);
    assert.deepEqual(missingTests(new Map([...sources, ...there])), []);
  });

  it("say the widths that their lemmas are about", () => {
    for (const name of NAMES) {
      const { plan } = programOf(name);
      for (const instruction of instructionsOf(name, plan)) {
        const widths = gateOf(instruction).widths(instruction, infoOf(plan));
        assert.deepEqual(Object.keys(widths).sort(), Object.keys(PROVED_WIDTHS[name]).sort(), `${name}: widths`);
      }
    }
  });

  it("declare costs that evaluate, and deal what they cost", () => {
    for (const name of NAMES) {
      const { plan } = programOf(name);
      const info = infoOf(plan);
      for (const instruction of instructionsOf(name, plan)) {
        const gate = gateOf(instruction);
        const dealtBits = gate.dealt(instruction, info).reduce((sum, { bits, count }) => sum + bits * count, 0);
        for (const n of [2, 3, 4]) {
          const quantities = { ...gate.quantities(instruction, info), n };
          assert.equal(evaluateCost(gate.cost.dealtBits, quantities), dealtBits, `${name}: dealt bits`);
          for (const expression of Object.values(gate.cost)) assert.ok(evaluateCost(expression, quantities) >= 0, name);
        }
      }
    }
  });

  it("send nothing, but for open", () => {
    for (const [name, { cost }] of Object.entries(gates)) {
      const sends = name === "open";
      assert.equal(cost.onlineBits === "0", !sends, `${name}: online bits`);
      assert.equal(cost.rounds, sends ? "1" : "0", `${name}: rounds`);
    }
  });

  it("exchange nothing with a client, but for take and give", () => {
    for (const [name, gate] of Object.entries(gates)) {
      const { takenBits, givenBits, othersGivenBits }: GateCost = gate.cost;
      assert.equal(takenBits !== undefined, name === "take", `${name}: taken bits`);
      assert.equal(givenBits !== undefined, name === "give", `${name}: given bits`);
      assert.equal(othersGivenBits !== undefined, name === "give", `${name}: given bits of the others`);
    }
  });

  it("read the operands that they declare and no others, and look up what their tables declare", async () => {
    for (const name of NAMES) {
      const { plan, inputs, clientInputs } = programOf(name);
      const client = (): ClientValues => ({ model: clientFactors(), inputs: clientInputs, kept: new Map() });
      const listening = new Listening(plan);
      try {
        const real = Object.fromEntries(
          Object.entries(inputs).map(([input, words]) => [
            input,
            Float64Array.from(words, (w) => Number(BigInt.asIntN(64, w)) / 16),
          ]),
        );
        await new Simulation(3, gateFactors()).run(plan, real, client());
        await runClear(plan, gateFactors(), inputs, new Map(), client());
      } finally {
        listening.close();
      }
      assert.deepEqual(listening.unread(name), [], `${name}: operands that it never reads`);
    }
  });
});

type Readings = { -readonly [K in "party" | "dealer" | "clear" | "client"]: Gate<Instruction>[K] };

/** Every gate held to what it declares on the instructions of a plan, until closed. */
class Listening {
  readonly #reads = new Map<string, DeclaredReads<Instruction>>();
  readonly #restore: (() => void)[] = [];

  constructor(plan: Plan) {
    for (const instruction of plan.instructions)
      this.#reads.set(JSON.stringify(instruction), new DeclaredReads(gateOf(instruction), instruction, infoOf(plan)));
    for (const each of Object.values(gates)) {
      // Every gate is run on its own instructions only: listening needs no more of their types.
      const gate = each as unknown as Readings;
      const before = { ...gate };
      gate.party = (instruction, walk) => before.party(instruction, this.#of(instruction).party(walk));
      gate.dealer = (instruction, walk) => before.dealer(instruction, this.#of(instruction).dealer(walk));
      gate.clear = (instruction, walk) => before.clear(instruction, this.#of(instruction).clear(walk));
      const { client } = before;
      if (client !== undefined)
        gate.client = (instruction, walk) => client(instruction, this.#of(instruction).client(walk));
      this.#restore.push(() => Object.assign(gate, before));
    }
  }

  #of(instruction: AnyInstruction): DeclaredReads<Instruction> {
    return this.#reads.get(JSON.stringify(instruction))!;
  }

  /** The gates are as they were. */
  close(): void {
    for (const restore of this.#restore) restore();
  }

  /** Operands of a gate that none of its readings has read; the executors run what goes in and out and open themselves. */
  unread(name: GateName): number[] {
    if (["input", "output", "open", "client-output"].includes(name)) return [];
    return [...this.#reads]
      .filter(([instruction]) => (JSON.parse(instruction) as AnyInstruction).gate === name)
      .flatMap(([, reads]) => reads.unread);
  }
}
