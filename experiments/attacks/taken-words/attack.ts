/**
 * What servers of delegated layers hold: words that the first one was given of the client's rows, and seeds at the others.
 *
 * Functionality: the shares that the coalition holds of the rows in front of a layer's attention are added up mod 2^K, seeds expanded as
 *   their owners expand them, and read as rows: (1) the token whose public row points most in their direction; (2) where that is no row, the
 *   same of what the servers answer, products by public matrices; (3) differences of any two rows, of other layers, steps and sessions whose
 *   tokens are known too: two rows of length 1 under one mask differ by 2 at most, and the difference names both tokens. A position takes
 *   the guess that fits best.
 * Needs: layers whose attention the client evaluates; tokens' rows are public and exact at layer 0, each token alone at later ones.
 * Cost: no forward pass; the vocabulary's rows once, rows * V * d for each reading. Reference: Slalom, arXiv 1806.03287.
 * Controls: all parties together must give every token of layer 0; a planted reused mask must be found (insecureReusedMask).
 * Test: tests/experiments/attacks/taken-words.test.ts
 */
import { z } from "zod";
import { remembered } from "../../../protocols/remembered.ts";
import { programSetting, SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";
import type { Attack, CalibrationPrompt, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { heldRows, type HeldRows } from "./held-rows.ts";
import { MaskedRow } from "./masked-row.ts";
import { TakenDictionary } from "./taken-dictionary.ts";
import type { Ranking } from "../probes/linear-probe.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { parseOptions } from "../../lab/parse-options.ts";

const schema = z.strictObject({});

/** Ids that are ranked. */
const RANKED = 5;
/** Differences that are read of a row: of masks that many rows have, a few tell it. */
const MOST_DIFFERENCES = 8;
/** A fit that is proof at layer 0: what is left over is the rounding of words. */
const PROVEN = 1 - 1e-5;
/** Shorter differences are of one row with itself, and name no token. */
const SHORTEST_DIFFERENCE = 1e-2;

/** Tokens of a position, and how well the best explains what was seen: 1 is wholly. */
interface Guess {
  readonly ids: readonly number[];
  readonly fit: number;
}

export const takenWords: Attack<z.infer<typeof schema>> = {
  name: "taken-words",
  strength: "single rows",
  reads: ["taken"],
  parseOptions(value) {
    return parseOptions("taken-words", schema, value ?? {});
  },
  prepare({ layer, calibration }) {
    const dictionaries = new Map<string, Promise<TakenDictionary>>();
    return Promise.resolve({
      recover: (view, knowledge) => recover(view, knowledge, { layer, calibration, dictionaries }),
      prior: () => Promise.resolve(nothing()),
      close: () => Promise.resolve(),
    });
  },
};

const nothing = (): Recovery => ({ guesses: new Map(), certified: new Set(), forwardPasses: 0, figures: {} });

interface Prepared {
  readonly layer: number;
  readonly calibration: readonly CalibrationPrompt[];
  readonly dictionaries: Map<string, Promise<TakenDictionary>>;
}

async function recover(
  view: RecordedView,
  knowledge: PublicKnowledge,
  { layer, calibration, dictionaries }: Prepared,
): Promise<Recovery> {
  const { description, model, schedule } = knowledge;
  if (description.smpc === null) return nothing();
  const setting = programSetting({ ...description, smpc: description.smpc });
  const program = await SmpcProgram.open(model, schedule, setting);
  const held = heldRows(view, schedule, program);
  if (held.length === 0) return nothing();
  const dictionary = await remembered(dictionaries, JSON.stringify(setting), () =>
    TakenDictionary.of(knowledge, program, layer),
  );
  const own = held.flatMap((rows) => MaskedRow.of(rows, null));
  const elsewhere = calibration.flatMap(({ ids, view: other }) =>
    heldRows(other, schedule, program).flatMap((rows) => MaskedRow.of(rows, ids)),
  );
  const best = new Map<number, Guess>();
  const offer = (position: number, guess: Guess): void => {
    if (guess.fit > (best.get(position)?.fit ?? -Infinity)) best.set(position, guess);
  };
  for (const rows of held) if (rows.layer === layer) await readRows(rows, dictionary, offer);
  const reused = readDifferences(own, elsewhere, { layer, dictionary }, offer);
  const proven = [...best].filter(([, { fit }]) => layer === 0 && fit >= PROVEN).map(([position]) => position);
  return {
    guesses: new Map([...best].map(([position, { ids }]) => [position, ids])),
    certified: new Set(proven),
    forwardPasses: 0,
    figures: {
      bareRows: own.filter(({ isBare }) => isBare).length,
      reusedMasks: reused,
      messages: view.tensors.length,
      bytes: view.tensors.reduce((sum, { data }) => sum + data.byteLength, 0),
    },
  };
}

type Offer = (position: number, guess: Guess) => void;

const guessOf = ({ ids, scores }: Ranking): Guess => ({ ids, fit: scores[0] });

/** Words as if they were rows, and what servers answer as if it were their products. */
async function readRows(held: HeldRows, dictionary: TakenDictionary, offer: Offer): Promise<void> {
  const { positions, words } = held;
  const answers = await dictionary.answersOf(words, positions.length);
  const columns = answers.length / positions.length;
  MaskedRow.of(held, null).forEach((row, at) => {
    offer(row.position, guessOf(dictionary.byRow.rank(row.numbers(), RANKED)));
    if (row.isBare) return; // its product says less, and its directions lie closer together
    const answer = answers.subarray(at * columns, (at + 1) * columns);
    offer(row.position, guessOf(dictionary.byAnswer.rank(answer, RANKED)));
  });
}

/** Pairs of rows under one mask, each counted once; those of the layer are read. */
function readDifferences(
  own: readonly MaskedRow[],
  elsewhere: readonly MaskedRow[],
  { layer, dictionary }: { readonly layer: number; readonly dictionary: TakenDictionary },
  offer: Offer,
): number {
  const masked = own.filter(({ isBare }) => !isBare);
  const others = elsewhere.filter(({ isBare }) => !isBare);
  const reads = new Map<MaskedRow, number>();
  let reused = 0;
  masked.forEach((row, at) => {
    for (const other of [...masked.slice(at + 1), ...others]) {
      const difference = row.less(other);
      if (difference === null) continue;
      reused++;
      if (row.layer !== layer || other.layer !== layer) continue;
      const done = reads.get(row) ?? 0;
      if (done >= MOST_DIFFERENCES && (reads.get(other) ?? 0) >= MOST_DIFFERENCES) continue;
      for (const each of [row, other]) reads.set(each, (reads.get(each) ?? 0) + 1);
      readDifference(row, other, difference, dictionary, offer);
    }
  });
  return reused;
}

function readDifference(
  row: MaskedRow,
  other: MaskedRow,
  difference: Float64Array,
  { byRow, rows, columns }: TakenDictionary,
  offer: Offer,
): void {
  const of = (token: number): Float64Array => rows.subarray(token * columns, (token + 1) * columns);
  if (other.token !== null) {
    const known = of(other.token);
    return offer(
      row.position,
      guessOf(
        byRow.rank(
          difference.map((value, at) => value + known[at]),
          RANKED,
        ),
      ),
    );
  }
  const squares = difference.reduce((sum, value) => sum + value * value, 0);
  if (squares < SHORTEST_DIFFERENCE ** 2) return;
  const [mine, theirs] = [difference, difference.map((value) => -value)].map((each) => byRow.rank(each, RANKED).ids);
  const [a, b] = [of(mine[0]), of(theirs[0])];
  const left = difference.reduce((sum, value, at) => sum + (value - a[at] + b[at]) ** 2, 0);
  const fit = 1 - left / squares;
  offer(row.position, { ids: mine, fit });
  offer(other.position, { ids: theirs, fit });
}
