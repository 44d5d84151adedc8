/**
 * What SMPC parties hold: additive shares of the embedded rows, and opened words of masked wires.
 *
 * Functionality: (1) the shares of rows that the coalition holds are added up mod 2^k, read as signed fixed point, and the public embedding
 *   row nearest by L1 names the token: exact where all parties are in the coalition, uniform words otherwise; (2) opened words as wide as
 *   q, k or v rows of layer 0 are read the same way, and the token whose row points most in their direction is taken: what a mask that is
 *   too short would give away. A position takes the guess whose best candidate stands out most from the second one.
 * Needs: shares and opened parts of SMPC parties; layer 0 under SMPC, rows shared by the client.
 * Cost: no forward pass; the vocabulary's rows once, rows * V * d per kind of word. Reference: smpc.md, "Kinds of value".
 * Controls: all parties together must give every token; masks of few bits (insecureShortMask) must be found; proper ones must give chance.
 * Test: tests/experiments/attacks/share-words.test.ts
 */
import { z } from "zod";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { CLIENT, parsePartyName, partyKind } from "../../../protocols/cascade/party-name.ts";
import { remembered } from "../../../protocols/remembered.ts";
import { programSetting, SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import type { WireInfo } from "../../../protocols/smpc/plan/value.ts";
import { shareFrom } from "../../../protocols/smpc/run/share-rows.ts";
import type { Attack, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { parseOptions } from "../../lab/parse-options.ts";

const schema = z.strictObject({});

/** Ids that are ranked. */
const RANKED = 5;

export const shareWords: Attack<z.infer<typeof schema>> = {
  name: "share-words",
  strength: "single rows",
  reads: ["share"],
  parseOptions(value) {
    return parseOptions("share-words", schema, value ?? {});
  },
  prepare() {
    const tables: PublicTables = { rows: new Map(), plans: new Map() };
    return Promise.resolve({
      recover: (view, knowledge) => recover(view, knowledge, tables),
      prior: () => Promise.resolve(nothing()),
      close: () => Promise.resolve(),
    });
  },
};

/** What is the same for all prompts of a setting: public rows of the vocabulary, and plans. */
interface PublicTables {
  /** "kind position" -> [V, columns] */
  readonly rows: Map<string, Promise<ArrayLike<number>>>;
  readonly plans: Map<string, Promise<Plan>>;
}

/** Rows of words read as numbers, and the public rows that they are compared with. */
interface Readable {
  /** [N, columns] */
  readonly rows: Float64Array;
  readonly columns: number;
  /** Public rows of all tokens at a position, [V, columns]. */
  readonly dictionary: (position: number) => Promise<ArrayLike<number>>;
  readonly distance: (row: Float64Array, dictionary: ArrayLike<number>, token: number) => number;
}

async function recover(view: RecordedView, knowledge: PublicKnowledge, tables: PublicTables): Promise<Recovery> {
  if (knowledge.description.smpc === null || !knowledge.description.smpc.layers.includes(0)) return nothing();
  const positions = Array.from({ length: knowledge.description.promptLength }, (_, t) => t);
  const readable = [sharedRows(view, knowledge, tables), ...(await openedRows(view, knowledge, tables))].filter(
    (each) => each !== null,
  );
  const guesses = new Map<number, number[]>();
  const clearest = new Map<number, number>();
  for (const { rows, columns, dictionary, distance } of readable)
    for (const t of positions) {
      const row = rows.subarray(t * columns, (t + 1) * columns);
      const ranked = nearest(row, await dictionary(t), knowledge.model.spec.vocabulary, distance);
      const clarity = (ranked[1].distance - ranked[0].distance) / (ranked[1].distance + Number.MIN_VALUE);
      if (clarity <= (clearest.get(t) ?? -1)) continue;
      clearest.set(t, clarity);
      guesses.set(
        t,
        ranked.map(({ token }) => token),
      );
    }
  return { guesses, certified: new Set(), forwardPasses: 0, figures: { readable: readable.length } };
}

const nothing = (): Recovery => ({ guesses: new Map(), certified: new Set(), forwardPasses: 0, figures: {} });

/** The coalition's shares of the client's rows, added up; null where it holds none. */
function sharedRows(
  view: RecordedView,
  { description, model, engine }: PublicKnowledge,
  tables: PublicTables,
): Readable | null {
  const { parties, formats } = description.smpc!;
  const [format] = formats;
  const { width, vocabulary } = model.spec;
  const words = description.promptLength * width;
  const sum: Words = new BigUint64Array(words);
  let held = 0;
  for (const { kind, peer, party, data } of view.tensors) {
    if (kind !== "shares" || peer !== CLIENT) continue;
    const share = shareFrom(data as Uint8Array, parsePartyName(party, "smpc").party, parties, words, format);
    for (let i = 0; i < words; i++) sum[i] = BigInt.asUintN(format.inputBits, sum[i] + share[i]);
    held++;
  }
  if (held === 0) return null;
  const rows = signed(sum, format.inputBits, format.inputFracBits);
  return {
    rows,
    columns: width,
    dictionary: () => remembered(tables.rows, "row", () => embedAll(engine, vocabulary, 0)),
    distance: (row, dictionary, token) => {
      let total = 0;
      for (let i = 0; i < width; i++) total += Math.abs(row[i] - dictionary[token * width + i]);
      return total;
    },
  };
}

/** Openings of the first SMPC segment whose words are as wide as q, k or v rows, joined from all parts that the coalition has. */
async function openedRows(view: RecordedView, knowledge: PublicKnowledge, tables: PublicTables): Promise<Readable[]> {
  const { model, engine, schedule, description } = knowledge;
  const n = description.promptLength;
  const { heads, kvHeads, headDim, vocabulary } = model.spec;
  const parts = openedParts(view, description.smpc!.parties);
  if (parts === null) return [];
  const plan = await remembered(
    tables.plans,
    JSON.stringify([n, description.publicPrefix, description.smpc]),
    async () =>
      (await SmpcProgram.open(model, schedule, programSetting({ ...description, smpc: description.smpc! }))).plan(0, 0),
  );
  const found: Readable[] = [];
  for (const { wire, words } of openedWires(plan, parts)) {
    const kinds = (["q", "k", "v"] as const).filter(
      (kind) => wire.rows === n && wire.columns === (kind === "q" ? heads : kvHeads) * headDim,
    );
    for (const kind of kinds) {
      const columns = wire.columns;
      found.push({
        rows: signed(words, wire.bits, wire.fracBits),
        columns,
        dictionary: (position) =>
          remembered(tables.rows, `${kind} ${position}`, () => projectAll(engine, vocabulary, position, kind)),
        distance: (row, dictionary, token) => -cosine(row, dictionary, token * columns, columns),
      });
    }
  }
  return found;
}

/** [round][part]: payloads of all SMPC parties of the session, own ones as computed; null where the coalition hasn't all of them. */
function openedParts(view: RecordedView, parties: number): Uint8Array[][] | null {
  const byParty = new Map<string, Uint8Array[]>();
  const [observer] = view.parties.filter((party) => partyKind(party) === "smpc");
  for (const { kind, source, peer, party, layer, step, data } of view.tensors) {
    if (party !== observer || step !== 0 || layer !== 0) continue;
    const from = kind === "masked" && source === "computed" ? party : kind === "opened" ? peer! : null;
    if (from !== null) byParty.set(from, [...(byParty.get(from) ?? []), data as Uint8Array]);
  }
  if (byParty.size < parties) return null;
  const rounds = Math.min(...[...byParty.values()].map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) => [...byParty.values()].map((list) => list[round]));
}

/** Every opened wire of a plan from the payloads of its rounds. */
function* openedWires(plan: Plan, parts: readonly Uint8Array[][]): Generator<{ wire: WireInfo; words: Words }> {
  const opens = plan.instructions.flatMap((instruction, index) =>
    instruction.gate === "open" ? [{ instruction, index }] : [],
  );
  const levels = [...new Set(opens.map(({ index }) => plan.levels[index]))].sort((a, b) => a - b);
  for (const [round, level] of levels.entries()) {
    if (round >= parts.length) return;
    let at = 0;
    for (const { instruction, index } of opens) {
      if (plan.levels[index] !== level) continue;
      const wire = plan.values[instruction.out] as WireInfo;
      const bytes = Math.ceil((wire.rows * wire.columns * wire.bits) / 8);
      const sum: Words = new BigUint64Array(wire.rows * wire.columns);
      for (const payload of parts[round]) {
        const words: Words = new BigUint64Array(sum.length);
        ring.unpack(words, payload.subarray(at, at + bytes), wire.bits, 0);
        for (let i = 0; i < sum.length; i++) sum[i] = BigInt.asUintN(wire.bits, sum[i] + words[i]);
      }
      at += bytes;
      yield { wire, words: sum };
    }
  }
}

function signed(words: Words, bits: number, fracBits: number): Float64Array {
  return Float64Array.from(words, (word) => Number(BigInt.asIntN(bits, word)) / 2 ** fracBits);
}

type Engine = PublicKnowledge["engine"];

async function embedAll(engine: Engine, vocabulary: number, position: number): Promise<ArrayLike<number>> {
  const ids = Array.from({ length: vocabulary }, (_, id) => id);
  return (
    await engine.embed(
      ids,
      Array.from({ length: vocabulary }, () => position),
    )
  ).data;
}

async function projectAll(
  engine: Engine,
  vocabulary: number,
  position: number,
  kind: "q" | "k" | "v",
): Promise<ArrayLike<number>> {
  const at = Array.from({ length: vocabulary }, () => position);
  const data = (await embedAll(engine, vocabulary, position)) as Float32Array;
  const projected = await engine.pre(0, { data, shape: [vocabulary, data.length / vocabulary] }, at);
  return projected[kind].data;
}

function cosine(row: Float64Array, dictionary: ArrayLike<number>, from: number, columns: number): number {
  let [dot, a, b] = [0, 0, 0];
  for (let i = 0; i < columns; i++) {
    dot += row[i] * dictionary[from + i];
    a += row[i] * row[i];
    b += dictionary[from + i] * dictionary[from + i];
  }
  return dot / Math.sqrt(a * b + Number.MIN_VALUE);
}

function nearest(
  row: Float64Array,
  dictionary: ArrayLike<number>,
  vocabulary: number,
  distance: Readable["distance"],
): { token: number; distance: number }[] {
  const ranked: { token: number; distance: number }[] = [];
  for (let token = 0; token < vocabulary; token++) {
    const value = distance(row, dictionary, token);
    if (ranked.length === RANKED && value >= ranked[RANKED - 1].distance) continue;
    const at = ranked.findIndex((other) => other.distance > value);
    ranked.splice(at < 0 ? ranked.length : at, 0, { token, distance: value });
    if (ranked.length > RANKED) ranked.pop();
  }
  return ranked;
}
