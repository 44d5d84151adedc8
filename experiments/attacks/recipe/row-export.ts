/**
 * Rows that a network learns own tokens from: the very rows that the closed-form probes of the own-token curve learn from.
 *
 * Writes a safetensors file: `text.rows` [n, d] and `text.ids` [n] of the training text after position 0, in the order of its windows,
 * and `vocabulary.rows` [prefixes·vocabulary, d] and `vocabulary.ids` of every token after each fixed text. Rows are as probes read
 * them (probes/row-kinds.ts).
 *
 * npx tsx experiments/attacks/recipe/row-export.ts --layer 7 --out rows-7.safetensors [--training-tokens 200000] [--prefixes 16]
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createSafetensorsWriter } from "../../../layers/weights/safetensors-writer.ts";
import type { VisitRows } from "../probes/layer-walk.ts";
import { hiddenRows } from "../probes/row-kinds.ts";
import { CURVE_FLAGS, curveOptions } from "../studies/curve-flags.ts";
import { CurveTexts } from "../studies/curve-texts.ts";
import { studyFlags } from "../studies/study-flags.ts";

/** Hidden rows as probes read them, in the order in which they are shown; those at position 0 are left out. */
class RowsShown {
  readonly ids: number[] = [];
  readonly #parts: Float32Array[] = [];
  readonly #width: number;

  constructor(width: number) {
    this.#width = width;
  }

  readonly visit: VisitRows = async (batch) => {
    const width = this.#width;
    const rows = await hiddenRows(width).read(batch);
    batch.positions.forEach((position, row) => {
      if (position === 0) return;
      this.#parts.push(rows.subarray(row * width, (row + 1) * width));
      this.ids.push(batch.ids[row]);
    });
  };

  /** [rows, width] */
  rows(): Float32Array {
    const all = new Float32Array(this.ids.length * this.#width);
    this.#parts.forEach((part, row) => all.set(part, row * this.#width));
    return all;
  }
}

/** Writes the file for one layer, which the training of `texts` must not have passed. */
export async function exportRows({ training, model }: CurveTexts, layer: number, file: string): Promise<void> {
  await training.goTo(layer);
  const { width } = model.spec;
  const writer = await createSafetensorsWriter(file, { model: model.name, layer: String(layer) });
  for (const [part, walks] of [
    ["text", [training.walk]],
    ["vocabulary", training.vocabulary],
  ] as const) {
    const shown = new RowsShown(width);
    for (const walk of walks) await walk.look(shown.visit);
    await writer.append({ name: `${part}.rows`, shape: [shown.ids.length, width], data: shown.rows() });
    await writer.append({ name: `${part}.ids`, shape: [shown.ids.length], data: Int32Array.from(shown.ids) });
  }
  await writer.close();
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({ ...CURVE_FLAGS, layer: z.int().min(0), out: z.string().min(1).describe("safetensors file") }),
  );
  const texts = await CurveTexts.open(curveOptions({ ...values, prompts: 1, calibration: 1 }));
  try {
    await exportRows(texts, values.layer, values.out);
  } finally {
    await texts.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
