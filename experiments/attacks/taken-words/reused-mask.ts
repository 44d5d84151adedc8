/** The positive control of views of delegated layers: what the first server would see if masks were drawn twice. */
import { Generator } from "../../../shares/generator.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";
import { shareOf } from "../../../protocols/smpc/plan/value.ts";
import { runClient } from "../../../protocols/smpc/run/client-run.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

/**
 * A view of the first server in which the rows in front of the attention of layer 0 are masked by the streams that `streamOf` names for a
 * step and a row of it: a name that comes twice is a mask that is used twice, insecure, and to be found by an attack. `x`: the client's
 * rows [rows * d] by step. Throws Error where layer 0 isn't delegated.
 */
export async function insecureReusedMask(
  view: RecordedView,
  program: SmpcProgram,
  x: readonly Float64Array[],
  streamOf: (step: number, row: number) => string,
): Promise<RecordedView> {
  const planted = new Map<string, Uint8Array>();
  for (const [step, rows] of x.entries()) {
    const first = view.tensors.find((tensor) => tensor.kind === "taken" && tensor.layer === 0 && tensor.step === step);
    if (first === undefined) throw new Error(`step ${step}: expected words taken of layer 0 in the view, got none`);
    planted.set(first.tensor, await maskedAnew(program, step, rows, streamOf));
  }
  return view.map(({ tensor, data }) => planted.get(tensor) ?? data);
}

/** What the client takes first in a step, by a client without servers, under other masks. */
async function maskedAnew(
  program: SmpcProgram,
  step: number,
  x: Float64Array,
  streamOf: (step: number, row: number) => string,
): Promise<Uint8Array> {
  const plan = program.plan(0, step);
  const take = plan.instructions.find((instruction) => instruction.gate === "take");
  if (take === undefined) throw new Error("layer 0: expected a delegated one, got none; set placement to 0=delegated");
  const { rows, columns, ringBits } = shareOf(plan.values[take.out]);
  const words: Words = new BigUint64Array(rows * columns);
  ring.unpack(words, await firstTaken(program, step, x), ringBits, 0);
  const mask: Words = new BigUint64Array(columns);
  for (let row = 0; row < rows; row++) {
    new Generator("reused mask", streamOf(step, row)).fillWords(mask, ringBits);
    const masked = words.subarray(row * columns, (row + 1) * columns);
    ring.add(masked, masked, mask);
  }
  ring.reduce(words, words, ringBits);
  return ring.pack(words, ringBits);
}

/** The client's first message of a step where no server has a share but the first: the words themselves. */
async function firstTaken(program: SmpcProgram, step: number, x: Float64Array): Promise<Uint8Array> {
  let first: Uint8Array | null = null;
  const answered = new Error("no server answers");
  await runClient(
    program.plan(0, step),
    {
      parties: 1,
      links: {
        send: async (_level, payload) => {
          first ??= payload;
        },
        receive: () => Promise.reject(answered),
      },
      streams: [],
      checks: null,
    },
    { model: program.clientFactors, inputs: { x }, kept: new Map() },
  ).catch((error: unknown) => {
    if (error !== answered) throw error;
  });
  return first!;
}
