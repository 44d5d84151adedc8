/** What servers of delegated layers hold of the client's rows: words that party 0 was given, streams of the seeds of the others. */
import { ring } from "../../../shares/ring.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { parsePartyName } from "../../../protocols/cascade/party-name.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import type { SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";
import { productGroups, type ProductGroup } from "../../../protocols/smpc/check/product-checks.ts";
import { streamName, TAKEN } from "../../../protocols/smpc/plan/dealt-layout.ts";
import type { InstructionOf, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { shareOf, type ShareInfo } from "../../../protocols/smpc/plan/value.ts";
import { batchName } from "../../../protocols/smpc/run/batch-pieces.ts";
import type { RecordedView, ViewTensor } from "../../lab/views/recorded-view.ts";

/** Rows that a delegated product is made of, as the coalition's shares add up: the client's rows where all parties are in it. */
export interface HeldRows {
  readonly step: number;
  /** Positions of the rows. */
  readonly positions: readonly number[];
  /** Layer whose queries, keys or values are made of them; null: other products. */
  readonly layer: number | null;
  readonly group: ProductGroup;
  readonly info: ShareInfo;
  /** [rows * columns], mod 2^ringBits */
  readonly words: Words;
}

const PROJECTION = /^layers\.(\d+)\.(?:q|k|v|qkv)\./;

/** The layer whose attention a group of products is for; null: none. */
export function attendedLayer({ products }: ProductGroup): number | null {
  const found = products.map(({ matrix }) => PROJECTION.exec(matrix.weight)).find((match) => match !== null);
  return found === undefined ? null : Number(found[1]);
}

/** All that the parties of a view hold together, by segment, step and level; steps that lack what one of them is given are left out. */
export function heldRows(view: RecordedView, schedule: Schedule, program: SmpcProgram): HeldRows[] {
  const steps = [...new Set(view.tensors.filter(({ kind }) => isOfTakes(kind)).map(({ step }) => step))];
  return program.segments.flatMap(({ from }, segment) =>
    steps
      .filter((step) => step < schedule.steps)
      .flatMap((step) => heldInStep(view, { segment, from, step, positions: schedule.positions(step) }, program)),
  );
}

const isOfTakes = (kind: string): boolean => kind === "taken" || kind === "takeseed";

interface Place {
  readonly segment: number;
  readonly from: number;
  readonly step: number;
  readonly positions: readonly number[];
}

function heldInStep(view: RecordedView, { segment, from, step, positions }: Place, program: SmpcProgram): HeldRows[] {
  const plan = program.plan(segment, step);
  const messages = view.tensors.filter(({ kind, step: at }) => isOfTakes(kind) && at === step);
  const given = messages.filter(({ kind, layer }) => kind === "taken" && layer === from);
  const seeds = messages.filter(({ kind }) => kind === "takeseed");
  const numbers = view.parties.map((party) => parsePartyName(party)).filter(({ kind }) => kind === "smpc");
  if (seeds.length + (given.length === 0 ? 0 : 1) < numbers.length) return [];
  const streams = seeds.map(({ data, session }) =>
    new StreamBook(data as Uint8Array).batch(batchName(session, segment, step)),
  );
  const words = givenWords(plan, given);
  const groups = new Map(productGroups(plan).map((group) => [group.taken, group]));
  return takes(plan).flatMap(({ index, take }) => {
    const info = shareOf(plan.values[take.out]);
    const sum = words.get(index) ?? new BigUint64Array(info.rows * info.columns);
    for (const each of streams) {
      const share: Words = new BigUint64Array(sum.length);
      each.stream(streamName(index, TAKEN)).fillWords(share, info.ringBits);
      ring.add(sum, sum, share);
    }
    ring.reduce(sum, sum, info.ringBits);
    const group = groups.get(take.out);
    if (group === undefined || !take.normalised) return [];
    return [{ step, positions, layer: attendedLayer(group), group, info, words: sum }];
  });
}

/** The takes of a plan, in the order in which their words travel. */
function takes(plan: Plan): { readonly index: number; readonly level: number; readonly take: InstructionOf<"take"> }[] {
  return plan.instructions
    .flatMap((take, index) => (take.gate === "take" ? [{ index, level: plan.levels[index], take }] : []))
    .sort((a, b) => a.level - b.level || a.index - b.index);
}

/** What party 0 was given, by the index of its take: a message a level, takes packed one after the other. */
function givenWords(plan: Plan, messages: readonly ViewTensor[]): Map<number, Words> {
  const words = new Map<number, Words>();
  if (messages.length === 0) return words;
  const levels = [...new Set(takes(plan).map(({ level }) => level))];
  let at = 0;
  takes(plan).forEach(({ index, level, take }, which, all) => {
    if (which > 0 && all[which - 1].level !== level) at = 0;
    const { rows, columns, ringBits } = shareOf(plan.values[take.out]);
    const out: Words = new BigUint64Array(rows * columns);
    const bytes = Math.ceil((out.length * ringBits) / 8);
    const payload = messages[levels.indexOf(level)].data as Uint8Array;
    ring.unpack(out, payload.subarray(at, at + bytes), ringBits, 0);
    at += bytes;
    words.set(index, out);
  });
  return words;
}
