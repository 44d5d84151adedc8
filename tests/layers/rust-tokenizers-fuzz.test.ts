import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../../layers/json-file.ts";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { createTokenizer } from "../../layers/tokenizer/create-tokenizer.ts";
import type { Tokenizer } from "../../layers/tokenizer/tokenizer.ts";
import { ANY_TEXT } from "./any-text.ts";
import { ANY_TOKENIZER, vocabularyOf } from "./any-tokenizer.ts";
import { RustTokenizers } from "./rust-tokenizers.ts";

/** Any tokenizer and any text: the ids and texts of the Rust original, asked as this runs, or refused by name. */

const python = process.env.WEIR_TOKENIZERS;
const skip = python === undefined ? "set WEIR_TOKENIZERS to a Python that has the package tokenizers 0.22.2" : false;
const numRuns = Number(process.env.WEIR_FUZZ_RUNS ?? 40);
const seeded = process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {};
const rust = python === undefined ? undefined : await RustTokenizers.start(python);
after(() => rust?.close());

function create(json: object): Tokenizer | undefined {
  try {
    const facts = { file: "any", bosToken: null, stopTokens: [], chatTemplate: null, specials: {} };
    return createTokenizer(json as JsonObject, facts);
  } catch (error) {
    assert.ok(error instanceof ModelFileError, String(error));
    return undefined;
  }
}

for (const [kind, anyTokenizer] of Object.entries(ANY_TOKENIZER)) {
  test(`${kind}: the same as the Rust original, or refused`, { skip }, async (context) => {
    const asked = anyTokenizer.chain((json) =>
      fc.record({
        json: fc.constant(json),
        texts: fc.array(ANY_TEXT, { minLength: 12, maxLength: 40 }),
        runs: fc.array(fc.array(fc.nat(vocabularyOf(json) - 1), { maxLength: 12 }), { maxLength: 12 }),
      }),
    );
    const counted = { texts: 0, runs: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(asked, async ({ json, texts, runs }) => {
        const tokenizer = create(json);
        if (!tokenizer) {
          counted.refused++;
          return;
        }
        const answer = await rust!.ask(json, texts, runs);
        assert.equal(answer.error, undefined, "expected what the original refuses to be refused here");
        texts.forEach((text, i) => {
          const ids = [true, false].map((addSpecial) => tokenizer.encode(text, { addSpecial }));
          assert.deepEqual(ids, [answer.ids[i], answer.plain[i]], JSON.stringify(text));
        });
        runs.forEach((run, i) => {
          for (const [skipSpecial, expected] of [
            [false, answer.decoded[i]],
            [true, answer.skipped[i]],
          ] as const) {
            assert.equal(tokenizer.decode(run, { skipSpecial }), expected);
            const stream = tokenizer.streamDecoder({ skipSpecial });
            assert.equal(run.map((id) => stream.push(id)).join("") + stream.flush(), expected);
          }
        });
        counted.texts += texts.length;
        counted.runs += runs.length;
      }),
      { numRuns, ...seeded },
    );
    context.diagnostic(
      `tokenizers ${rust!.version}: ${counted.texts} texts and ${counted.runs} runs of ids the same, ${counted.refused} of ${numRuns} tokenizers refused`,
    );
  });
}
