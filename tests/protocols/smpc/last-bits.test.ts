/**
 * What do the last bits of a row that is handed over depend on? With all masks, shares and seeds held, rows after it change none of them:
 * whoever has a row and all masks concludes from its rounding nothing of later rows. Rows before it change them, as they change the row itself.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dealAll } from "../../../protocols/smpc/run/dealer-run.ts";
import { runParty, type Exchange } from "../../../protocols/smpc/run/party-run.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { MAX_RING_BITS, type Words } from "../../../shares/words.ts";
import { joinShares, splitWords } from "../../../shares/sharing.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { ring } from "../../../shares/ring.ts";
import { tinyLayer, type TinyLayer } from "./tiny-plan.ts";
import { PLAN_INPUT } from "../../../protocols/smpc/lowering/lower-layers.ts";

const ROWS = 6;
/** Rows before this one stay as they are. */
const FROM = 3;
const BATCH = "1/0/0";
const RUNS = 8;

for (const kind of ["llama", "gpt2"] as const)
  for (const parties of [2, 3])
    test(`${kind}, n = ${parties}: no bit of a row's words depends on rows after it`, async () => {
      const layer = tinyLayer(kind, "last bits");
      const plan = layer.plan(ROWS, 0);
      const { width } = layer.spec;
      const one = layer.rows(ROWS, "one");
      const other = layer.rows(ROWS, "other");
      const later = Float64Array.from(one, (value, at) => (at < FROM * width ? value : other[at]));
      const earlier = Float64Array.from(one, (value, at) => (at < width ? other[at] : value));
      for (let run = 0; run < RUNS; run++) {
        const seed = `run ${run}`;
        const [before, after, changed] = [
          await words(layer, plan, parties, one, seed),
          await words(layer, plan, parties, later, seed),
          await words(layer, plan, parties, earlier, seed),
        ];
        for (const row of Array.from({ length: ROWS }, (_, at) => at)) {
          const same = row < FROM;
          assert.equal(rowOf(before, row) === rowOf(after, row), same, `row ${row}, rows after ${FROM - 1} changed`);
          assert.notEqual(rowOf(before, row), rowOf(changed, row), `row ${row}, row 0 changed`);
        }
      }
      const apart = await words(layer, plan, parties, one, "another run");
      assert.notEqual(
        rowOf(apart, 0),
        rowOf(await words(layer, plan, parties, one, "run 0"), 0),
        "other masks round otherwise",
      );
    });

/** What is handed over of each row: its outputs and its check words, put together. */
async function words(
  layer: TinyLayer,
  plan: Plan,
  parties: number,
  x: Float64Array,
  seed: string,
): Promise<Record<string, string>[]> {
  const seedOf = (what: string): Uint8Array => new TextEncoder().encode(`${seed} ${what}`);
  const books = Array.from({ length: parties }, (_, party) => seedOf(`dealt ${party}`));
  const explicit = dealAll(plan, {
    streams: books.map((each) => new StreamBook(each).batch(BATCH)),
    kept: new Map(),
  });
  const input: Words = new BigUint64Array(x.length);
  const from = plan.instructions.find((instruction) => instruction.gate === "input")!;
  ring.encode(input, x, plan.values[from.out].fracBits);
  const shares = splitWords(
    input,
    MAX_RING_BITS,
    parties,
    new StreamBook(seedOf("input")).batch(BATCH).stream("share"),
  );
  const parts: Uint8Array[] = [];
  const waiting: ((all: readonly Uint8Array[]) => void)[] = [];
  const exchange =
    (party: number): Exchange =>
    (_round, payload) =>
      new Promise((resolve) => {
        parts[party] = payload;
        waiting.push(resolve);
        if (waiting.length === parties) for (const each of waiting.splice(0)) each([...parts]);
      });
  const pair = (a: number, b: number): Uint8Array => seedOf(`pair ${Math.min(a, b)} ${Math.max(a, b)}`);
  const all = await Promise.all(
    books.map((each, party) =>
      runParty(
        plan,
        { party, parties, factors: layer.factors, exchange: exchange(party), kept: new Map() },
        {
          batch: BATCH,
          streams: new StreamBook(each).batch(BATCH),
          explicit: party === parties - 1 ? explicit : null,
          pairs: new Map(
            books.flatMap((_, peer) =>
              peer === party ? [] : [[peer, new StreamBook(pair(party, peer)).batch(BATCH)] as const],
            ),
          ),
        },
        { [PLAN_INPUT]: shares[party] },
      ),
    ),
  );
  const outputs = plan.instructions.filter((instruction) => instruction.gate === "output");
  return Array.from({ length: ROWS }, (_, row) =>
    Object.fromEntries(
      outputs.map(({ name, bits }) => {
        const joined = joinShares(
          all.map((share) => share[name]),
          bits,
        );
        // Rows are row-major; checks are [heads, rows].
        const own = name.startsWith("check")
          ? joined.filter((_word, at) => at % ROWS === row)
          : joined.subarray((row * joined.length) / ROWS, ((row + 1) * joined.length) / ROWS);
        return [name, [...own].join()];
      }),
    ),
  );
}

const rowOf = (rows: readonly Record<string, string>[], row: number): string => JSON.stringify(rows[row]);
