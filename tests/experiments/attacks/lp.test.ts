/** Sums over a public dictionary of tokens, as linear programs: a planted secret comes out, noise doesn't fit, and no solve hangs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  LayerZeroDictionary,
  pageLogits,
  type DictionaryPage,
} from "../../../experiments/attacks/matching/layer-zero-dictionary.ts";
import { linearProgram } from "../../../experiments/attacks/lp/linear-program.ts";
import { solveProgram } from "../../../experiments/attacks/lp/solve.ts";
import { belowMaximum, type SumObservation } from "../../../experiments/attacks/lp/sum-observation.ts";
import { misfit, residuals, tokenProgram } from "../../../experiments/attacks/lp/token-program.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { randomModel } from "../../protocols/cascade/random-model.ts";

const MODEL = randomModel({
  seed: 5,
  layers: 1,
  kvHeads: 1,
  group: 2,
  headDim: 8,
});
const engine = await referenceEngine(MODEL);
const dictionary = new LayerZeroDictionary(engine, "float32");
const vocabulary = Array.from({ length: engine.spec.vocabulary }, (_, v) => v);
/** Positions 0 and 3 are the attacker's own. */
const SECRET = [3, 1, 4, 2];
const HIDDEN = [1, 2];

/** What row 3 sees of positions 1 and 2 (a shard's partial result), computed by the engine itself. */
async function observed(): Promise<SumObservation> {
  const positions = SECRET.map((_, t) => t);
  const { q, k, v } = await engine.pre(0, await engine.embed(SECRET, positions), positions);
  const { heads, headDim } = engine.attention(0);
  const take = ({ data, shape }: typeof q, rows: readonly number[]): typeof q => ({
    data: Float64Array.from(rows.flatMap((row) => [...data.subarray(row * shape[1], (row + 1) * shape[1])])),
    shape: [rows.length, shape[1]],
  });
  const { u, m, e } = await engine.attend(0, take(q, [3]), [3], take(k, HIDDEN), take(v, HIDDEN), HIDDEN);
  const [maximum, total] = [Float64Array.from(m.data), Float64Array.from(e.data)];
  assert.equal(total.length, heads);
  const output = Float64Array.from(u.data, (value, at) => value / total[Math.floor(at / headDim)]);
  const query = await dictionary.queries([SECRET[3]], [3]);
  return { position: 3, q: query, keys: HIDDEN, output, origin: output, maximum, total, reference: maximum };
}

/** exp(a - m) of a page's only token under a head. */
const weightOf = ({ q, maximum }: SumObservation, page: DictionaryPage, head: number): number =>
  Math.exp(pageLogits(engine, q, page)[head] - maximum![head]);

const pages = (tokens: readonly number[]): Promise<DictionaryPage[]> =>
  Promise.all(HIDDEN.map((s) => dictionary.page(s, tokens)));

describe("linear programs of tokens", () => {
  for (const [fit, integer, about] of [
    ["box", false, "output"],
    ["l1", false, "output"],
    ["l1", true, "output"],
    ["box", false, "zero"],
  ] as const)
    it(`finds planted tokens (${fit}, ${integer ? "integer" : "relaxed"}, equations about the ${about})`, async () => {
      const at = await observed();
      const seen = about === "zero" ? { ...at, origin: new Float64Array(at.output.length) } : at;
      const hidden = (await pages(vocabulary)).map((page) => ({ page, cost: new Float64Array(page.tokens.length) }));
      const options = { integer, fit, equations: Infinity, seed: 1, accuracy: "float32", evidence: 1 } as const;
      const { program, columns } = tokenProgram(engine, [seen], hidden, new Map(), options);
      const { status, values } = await solveProgram(program, { timeLimitS: 20 });
      assert.equal(status, "optimal");
      for (const s of HIDDEN) {
        const at = columns.findIndex(({ position, token }) => position === s && token === SECRET[s]);
        assert.ok(values![at] > 0.99, `position ${s}: expected token ${SECRET[s]}, got share ${values![at]}`);
      }
    });

  it("proves the right tokens, and no others, by the misfit", async () => {
    const seen = await observed();
    const assigned = async (tokens: readonly number[]): Promise<Map<number, DictionaryPage>> =>
      new Map(await Promise.all(HIDDEN.map(async (s, at) => [s, await dictionary.page(s, [tokens[at]])] as const)));
    assert.ok(misfit(engine, [seen], await assigned([1, 4]), "float32") < 8);
    assert.ok(misfit(engine, [seen], await assigned([4, 1]), "float32") > 100);
    assert.ok(misfit(engine, [seen], await assigned([1, 5]), "float32") > 100);
  });

  it("measures how far estimates are from the right tokens", async () => {
    const seen = { ...(await observed()), origin: new Float64Array(16) };
    const [first, second] = await Promise.all(HIDDEN.map((s) => dictionary.page(s, [SECRET[s]])));
    const moved = { ...first, v: first.v.map((value) => value + 0.25) };
    const all = (page: DictionaryPage): Map<number, DictionaryPage> =>
      new Map([
        [1, page],
        [2, second],
      ]);
    const sizes = (page: DictionaryPage): number[] =>
      residuals(engine, [seen], all(page), { total: 1, coordinate: 0.5 }).flatMap(({ isTotal, size }) =>
        isTotal ? [] : [size],
      );
    assert.ok(Math.max(...sizes(first)) < 1e-4);
    const weights = Array.from({ length: 2 }, (_, h) => (1 / seen.total![h]) * weightOf(seen, first, h));
    sizes(moved).forEach((size, at) => assert.ok(Math.abs(size - 0.5 * weights[Math.floor(at / 8)]) < 1e-4));
  });

  it("never cuts the right token by the maximum", async () => {
    const seen = await observed();
    for (const page of await pages(vocabulary))
      assert.ok(belowMaximum(engine, [seen], page, "float32").includes(SECRET[page.position]));
  });

  it("says infeasible to noise", async () => {
    const seen = await observed();
    const output = seen.output.map((value, at) => value * (at % 2 === 0 ? 1.5 : 0.5));
    const noise = { ...seen, output, origin: output };
    const hidden = (await pages(vocabulary)).map((page) => ({ page, cost: new Float64Array(page.tokens.length) }));
    const options = {
      integer: false,
      fit: "box",
      equations: Infinity,
      seed: 1,
      accuracy: "float32",
      evidence: 1,
    } as const;
    const { program } = tokenProgram(engine, [noise], hidden, new Map(), options);
    const { status, values } = await solveProgram(program, { timeLimitS: 20 });
    assert.equal(status, "infeasible");
    assert.equal(values, null);
  });

  it("reports a time limit and a broken program instead of hanging", async () => {
    const columns = Array.from({ length: 400 }, (_, j) => ({
      cost: -((j * 7919) % 97) - 1,
      lower: 0,
      upper: 1,
      integer: true,
      indices: Array.from({ length: 40 }, (_, i) => i),
      values: Array.from({ length: 40 }, (_, i) => ((j * 31 + i * 17 + j * i) % 101) + 1),
    }));
    const program = linearProgram(
      columns,
      Array.from({ length: 40 }, () => -Infinity),
      Array.from({ length: 40 }, () => 997.5),
    );
    assert.equal((await solveProgram(program, { timeLimitS: 0.2 })).status, "timeLimit");
    const broken = await solveProgram(program, { timeLimitS: 1, options: { no_such_option: 1 } });
    assert.equal(broken.status, "failed");
    assert.match(broken.reason!, /setOptionValue/);
  });
});
