/** Citations in comments and pages lead somewhere, and each rule finds a fault that is planted. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  missingCitations,
  missingFiles,
  missingNames,
  missingPages,
  missingPaths,
  outsideCitations,
} from "./citations.ts";
import { sourceParts } from "./source-parts.ts";
import { SOURCES, type Sources } from "./sources.ts";

type Rule = (sources: Sources) => string[];

/** Some pages and files that planted comments cite. */
const GROUND: Sources = new Map([
  ["docs/smpc.md", "# SMPC\n\n## Three kinds of value\n\n### Gate 3: Products\n\n```sh\n## Not a heading\n```\n"],
  ["experiments/FINDINGS.md", "# Findings\n\n## In short\n\n## 4. Partial results\n"],
  ["protocols/cascade/edges.ts", "export const inputCost = 1;"],
  ["protocols/smpc/gates/output.ts", "export const output = 1;"],
  ["tests/protocols/cascade/cost.test.ts", ""],
]);

/** The faults that a comment of protocols/cascade/comp-node.ts gives, beside those of the ground. */
function faultsOf(rule: Rule, comment: string, code = ""): string[] {
  assert.deepEqual(rule(GROUND), []);
  return rule(new Map([...GROUND, ["protocols/cascade/comp-node.ts", `${code}\n/** ${comment} */\n`]]));
}

function holds(rule: Rule, right: readonly string[], wrong: readonly string[]): void {
  assert.deepEqual(rule(SOURCES), []);
  for (const comment of right) assert.deepEqual(faultsOf(rule, comment), [], comment);
  for (const comment of wrong) assert.equal(faultsOf(rule, comment).length, 1, comment);
}

describe("citations", () => {
  it("name pages, headings, gates and sections that are there", () =>
    holds(
      missingCitations,
      [
        'Reference: smpc.md, "Three kinds of value".',
        'docs/smpc.md, "Products", by its name alone',
        "(smpc.md, gate 3)",
        "FINDINGS.md, section 4",
        "experiments/FINDINGS.md says more",
        "https://example.org/design.md is elsewhere",
      ],
      [
        'Reference: smpc.md, "Setting".',
        'smpc.md, "Not a heading"',
        "smpc.md, gate 5",
        "smpc.md, gates 3 and 5",
        "FINDINGS.md, section 5",
        "docs/design.md",
        'FINDINGS.md\n * ("In long")',
      ],
    ));

  it("name pages that are there in texts for users", () => {
    assert.deepEqual(missingPages(SOURCES), []);
    const text = 'throw new Error("see docs/elsewhere.md");';
    assert.equal(missingPages(new Map([...GROUND, ["cli/run.ts", text]])).length, 1);
    assert.equal(missingPages(new Map([...GROUND, ["cli/run.ts", text.replace("elsewhere", "smpc")]])).length, 0);
  });

  it("name files that are there, in the room or by path", () => {
    holds(
      missingFiles,
      [
        "edges.ts",
        "protocols/smpc/gates/output.ts",
        "Test: tests/protocols/cascade/cost.test.ts",
        "layers/architectures/NAME.ts, a placeholder",
        "tests/protocols/cascade/cost.test.ts, cost.test.ts",
      ],
      ["output.ts", "protocols/cascade/output.ts", "cost.test.ts", "lp.test.ts", "protocols/smpc/edges.ts", "make.py"],
    );
    const page = (step: string): Sources =>
      new Map([...GROUND, ["docs/ADDING.md", `${step}\n\n\`decay.ts\` says so.\n`]]);
    assert.deepEqual(missingFiles(page("In `protocols/smpc/gates/decay.ts`, a new file:")), []);
    assert.equal(missingFiles(page("In `protocols/smpc/gates/output.ts`, a new file:")).length, 1);
    const imports = 'import { output } from "../smpc/gates/output.ts";';
    assert.deepEqual(faultsOf(missingFiles, "as output.ts does", imports), []);
  });

  it("name folders that are there", () =>
    holds(
      missingPaths,
      ["proofs of protocols/cascade", "protocols/smpc/gates.", "experiments/attacks/*.ts"].slice(0, 2),
      ["protocols/cascades", "experiments/attacks/records", "proofs/lemmas (windows)"],
    ));

  it("name what the code has", () =>
    holds(
      missingNames,
      ["`inputCost`", "inputCost, arXiv 2507.05228"],
      ["`packWords` clear", "masks of few bits (plantShortMask)", "`edges.inputCosts`"],
    ));

  it("are of the project", () =>
    holds(
      outsideCitations,
      ["Reference: arXiv 2507.05228.", "the seed of a stream; an issue of 5 files"],
      ["see issue 5, section 5", "Reference: seed, matching", "Reference: the seed's figures", "(seed, section on x)"],
    ));

  it("are found in pages too", () => {
    const page = (text: string): Sources => new Map([...GROUND, ["docs/a.md", text]]);
    assert.equal(missingCitations(page('smpc.md, "Setting"')).length, 1);
    assert.equal(missingFiles(page("`nowhere.ts` says so")).length, 1);
    assert.equal(missingPaths(page("in proofs/nowhere")).length, 1);
    assert.equal(missingNames(page("the key `noSuchKey`")).length, 1);
    assert.deepEqual(missingNames(page("McDonald's noSuchKey outside of quotes")), []);
    assert.deepEqual(missingCitations(page('```sh\nsmpc.md, "Setting"\n```')), []);
  });
});

describe("a source file's parts", () => {
  it("are its comments and its code, whatever strings, templates and expressions hold", () => {
    const text = [
      "/** One. */",
      'const a = "// not", b = \'/* nor */\', c = `${f(`/* ${"`"} */`)} // nor`, d = /[/"]\\/* /g; // two',
      "// three",
      "const e = a / b; /* four",
      " * five */",
    ].join("\n");
    const { comments, code } = sourceParts("a.ts", text);
    assert.deepEqual(
      comments.map(({ line, text: said }) => [line, said]),
      [
        [1, "One."],
        [2, "two three"],
        [4, "four five"],
      ],
    );
    for (const left of ["// not", "/* nor */", "// nor`", 'd = /[/"]\\/* /g', "a / b"])
      assert.ok(code.includes(left), left);
    const python = sourceParts("a.py", '"""One\nline."""\nx = "# not"  # two\n');
    assert.deepEqual(
      python.comments.map(({ text: said }) => said),
      ["One line.", "two"],
    );
  });
});
