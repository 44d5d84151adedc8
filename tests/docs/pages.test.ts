/** What the pages say of models, records and errors is what the code has. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { errorRecord } from "../../cli/error-record.ts";
import { proofRecord } from "../../cli/prove-record.ts";
import { attackNames } from "../../experiments/attacks/registry.ts";
import { benchRecord } from "../../experiments/bench/bench-record.ts";
import { smpcBenchRecord } from "../../experiments/bench/smpc/record.ts";
import { readyQuestions } from "../../experiments/lab/ready-questions.ts";
import { questionSchema } from "../../experiments/lab/question.ts";
import { MEASURES } from "../../experiments/measures/registry.ts";
import { planRecord } from "../../experiments/plan/plan-record.ts";
import { verifyRecord } from "../../experiments/verify/verify-record.ts";
import { ModelConfigError } from "../../layers/architectures/config-reader.ts";
import { architectureOf, ARCHITECTURES } from "../../layers/architectures/registry.ts";
import { BLOCK_FORMATS } from "../../layers/weights/ggml-blocks.ts";
import { shardingFrom, shardingRule, SHARDING_RULES } from "../../protocols/cascade/sharding.ts";
import { runRecord } from "../../protocols/fusion/record/run-record.ts";
import { MODELS_FOLDER } from "../layers/golden-models.ts";
import { recordFields } from "./record-fields.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
const DOCS = path.join(CHECKOUT, "docs");

/** Rows of the tables under a heading (of the whole page without one), cells as they are written. */
function rowsOf(page: string, heading?: string): string[][] {
  const text = readFileSync(path.join(DOCS, page), "utf8");
  const parts = text.split(/^## /m);
  const part = heading === undefined ? text : parts.find((each) => each.startsWith(`${heading}\n`));
  assert.ok(part !== undefined, `${page}: expected a heading ${heading}`);
  return part
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const uncode = (cell: string): string => cell.replaceAll("`", "");

describe("docs/models.md", () => {
  it("lists the GGUF types that are decoded", () => {
    const rows = rowsOf("models.md", "Formats").slice(1);
    const byName = (a: string[], b: string[]): number => a[0].localeCompare(b[0]);
    assert.deepEqual(
      rows.toSorted(byName),
      [...BLOCK_FORMATS.values()]
        .map(({ name, elements, bytes }) => [name, String(elements), String(bytes)])
        .toSorted(byName),
    );
  });

  it("lists the architectures", () => {
    const names = rowsOf("models.md", "Architectures").slice(1);
    assert.deepEqual(names.map(([name]) => name).sort(), [...ARCHITECTURES.keys()].sort());
  });

  const refused = rowsOf("models.md", "Keys that are refused").slice(1);
  for (const [type, key, value] of refused)
    it(`${type} refuses ${key} ${value}`, () => {
      const [folder] = readdirSync(MODELS_FOLDER).filter((name) => name.startsWith(type));
      const file = path.join(MODELS_FOLDER, folder, "config.json");
      const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      const architecture = architectureOf(type, file);
      assert.doesNotThrow(() => architecture.readSpec(config, file));
      assert.throws(
        () => architecture.readSpec({ ...config, [key]: JSON.parse(uncode(value)) as unknown }, file),
        (error: unknown) => error instanceof ModelConfigError && error.message.includes(`key ${key}: expected`),
      );
    });

  it("has examples of refused keys", () => assert.ok(refused.length >= 10));
});

describe("docs/experiments.md", () => {
  it("lists the measures, in their words", () => {
    const rows = rowsOf("experiments.md", "Measures").slice(1);
    assert.deepEqual(
      rows.map(([name, says]) => `${name}: ${says}`).sort(),
      [...MEASURES.values()].map(({ name, says }) => `${name}: ${says}`).sort(),
    );
  });

  it("lists the keys of a question", () => {
    const rows = rowsOf("experiments.md", "A question").slice(1);
    assert.deepEqual(rows.map(([key]) => key).sort(), Object.keys(questionSchema.shape).sort());
  });

  it("lists the questions that come with weir", async () => {
    const rows = rowsOf("experiments.md", "Questions that come with weir").slice(1);
    const ready = (await readyQuestions()).map(({ question: { id, question } }) => `${id}: ${question}`);
    assert.deepEqual(rows.map(([id, question]) => `${id}: ${question}`).sort(), ready.sort());
  });
});

describe("docs/protocol.md", () => {
  it("lists the sharding rules, with an example of each", () => {
    const rows = rowsOf("protocol.md", "Shardings").slice(1);
    assert.deepEqual(rows.map(([name]) => uncode(name)).sort(), [...SHARDING_RULES].sort());
    for (const [name, , example] of rows) {
      const rule = shardingRule.parse(JSON.parse(uncode(example)));
      assert.equal(rule.rule, uncode(name));
      const sharding = shardingFrom(rule);
      for (let t = 0; t < 100; t++)
        assert.ok(sharding.owner(t) >= 0 && sharding.owner(t) < sharding.parts, `${name} ${t}`);
    }
  });
});

describe("docs/attacks.md", () => {
  it("lists the attacks", () => {
    const rows = rowsOf("attacks.md", "Attacks").slice(1);
    assert.deepEqual(rows.map(([name]) => name).sort(), attackNames().sort());
  });

  it("lists the configs, with their questions", () => {
    const rows = rowsOf("attacks.md", "Configs").slice(1);
    const folder = path.join(CHECKOUT, "experiments/attacks/configs");
    const configs = readdirSync(folder).filter((name) => name !== "smoke.json");
    assert.deepEqual(rows.map(([name]) => `${name}.json`).sort(), configs.sort());
    for (const [name, question] of rows) {
      const config = JSON.parse(readFileSync(path.join(folder, `${name}.json`), "utf8")) as { question: string };
      assert.equal(question, config.question, name);
    }
  });
});

describe("docs/json.md", () => {
  for (const [heading, schema] of [
    ["weir run", runRecord],
    ["weir verify", verifyRecord],
    ["Errors", errorRecord],
    ["weir bench", benchRecord],
    ["weir bench smpc", smpcBenchRecord],
    ["weir plan", planRecord],
    ["weir prove", proofRecord],
  ] as const)
    it(`has every field of ${heading}, and no other`, () => {
      const rows = rowsOf("json.md", heading).slice(1);
      assert.deepEqual(
        rows.map(([field]) => field),
        recordFields(schema),
      );
    });
});

/** Source files of the rooms that print errors, without comments, each `${...}` written as three dots. */
const SOURCES: ReadonlyMap<string, string> = new Map(
  ["cli", "experiments", "layers", "protocols", "shares"].flatMap((room) =>
    readdirSync(path.join(CHECKOUT, room), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|mjs|cjs)$/.test(name))
      .map((name) => {
        const file = path.join(room, name);
        return [file, withDots(withoutComments(readFileSync(path.join(CHECKOUT, file), "utf8")))] as const;
      }),
  ),
);

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(\/\*|\*|\/\/).*$/gm, "");
}

/** Innermost first, as an expression may hold a template of its own. */
function withDots(text: string): string {
  const next = text.replaceAll(/\$\{[^{}]*\}/g, "...");
  return next === text ? text : withDots(next);
}

describe("docs/troubleshooting.md", () => {
  const headings = ["Models", "Flags and files", "Parties and links", "The attack lab"];
  const texts = headings.flatMap((heading) =>
    rowsOf("troubleshooting.md", heading)
      .slice(1)
      .map(([text]) => uncode(text)),
  );

  for (const text of texts)
    it(`is a text of the code: ${text}`, () => {
      const holders = [...SOURCES].filter(([, source]) => source.includes(text));
      assert.ok(holders.length > 0, `expected it in cli, experiments, layers, protocols or shares, got it nowhere`);
    });

  it("says each text once", () => {
    assert.ok(texts.length > 30);
    assert.equal(new Set(texts).size, texts.length);
  });
});

describe("docs/README.md", () => {
  it("names every page", () => {
    const index = readFileSync(path.join(DOCS, "README.md"), "utf8");
    const named = [...index.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, name]) => name);
    const pages = readdirSync(DOCS).filter((name) => name.endsWith(".md") && name !== "README.md");
    assert.deepEqual(named.sort(), pages.sort());
  });
});

describe("docs/decisions", () => {
  const folder = path.join(DOCS, "decisions");
  const pages = readdirSync(folder).filter((name) => name !== "README.md");

  it("lists every decision", () => {
    const index = readFileSync(path.join(folder, "README.md"), "utf8");
    assert.deepEqual([...index.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, name]) => name).sort(), pages.sort());
  });

  for (const page of pages)
    it(`${page} has context, decision and consequence`, () => {
      const headings = [...readFileSync(path.join(folder, page), "utf8").matchAll(/^## (.+)$/gm)].map(
        ([, title]) => title,
      );
      assert.deepEqual(headings, ["Context", "Decision", "Consequence"]);
    });
});
