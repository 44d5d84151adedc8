import { stat } from "node:fs/promises";
import path from "node:path";
import { cacheFolder, writeAtomically } from "../../../layers/cache-folder.ts";
import { readJsonFile } from "../../../layers/json-file.ts";
import { ModelFileError } from "../../../layers/model-file-error.ts";
import type { Model } from "../../../layers/model.ts";
import { certify, preferCertified } from "../certificates/certify.ts";
import { modelRanges, type ModelRanges } from "../lowering/ranges.ts";
import { calibrate, checkSpan, type FirstRow } from "./calibrate.ts";
import { calibrationText } from "./calibration-text.ts";
import { readableModel, type LayerSpan } from "./readable-model.ts";

/** Name of the file of ranges in a model's folder, or beside its .gguf file. */
export const RANGES_FILE = "smpc-ranges.json";

/** Some kilobytes a layer. */
const MAX_BYTES = 16 << 20;
/** Changes whenever the passages or what is recorded change, so that no older cache is taken. */
const REVISION = "2";

/**
 * Ranges of the layers in `span`: those beside the model if they are this model's and hold these layers, else those in the cache, else
 * observed now on weir's own passages and cached; `onStep` says so. `firstRow` public: of the rows behind a public prefix, whichever it is
 * (those beside the model hold for either, as they are of all rows). Margins are not applied (see `rangeOfSite`).
 * @throws ModelFileError naming the file and the fault where a file of ranges can't be used.
 */
export async function loadRanges(
  model: Model,
  span: LayerSpan,
  onStep: (text: string) => void = () => {},
  firstRow: FirstRow = "secret",
): Promise<ModelRanges> {
  checkSpan(span, model.spec.layers);
  const beside = rangesFileOf(model);
  if (await exists(beside)) {
    const ranges = await parseRanges(beside);
    if (ranges.model === model.fingerprint && covers(ranges, span)) return ranges;
  }
  const label = `${span.from}-${span.to}${span.head ? "-head" : ""}${firstRow === "public" ? "-behind" : ""}`;
  const cached = path.join(await cacheFolder("ranges"), `${model.fingerprint}-${label}-${REVISION}.json`);
  if (await exists(cached)) {
    // A cache that can't be read is made again.
    const ranges = await readRanges(cached, model, span).catch(() => null);
    if (ranges !== null) return ranges;
  }
  onStep(`observing the ranges of layers ${span.from} to ${span.to - 1} on public text, once for this model`);
  const ranges = await makeRanges(model, null, span, onStep, firstRow);
  await writeAtomically(cached, rangesJson(ranges));
  return ranges;
}

/**
 * Ranges of the layers in `span`: observed on the text in `file` (null: weir's own passages), certified from the weights where that costs
 * little. Margins are not applied.
 * @throws ModelFileError where `file` holds no passage, RangeError for layers that the model doesn't have.
 */
export async function makeRanges(
  model: Model,
  file: string | null,
  span: LayerSpan,
  onStep: (text: string) => void = () => {},
  firstRow: FirstRow = "secret",
): Promise<ModelRanges> {
  const observed = await calibrate(model, await calibrationText(model, file, firstRow), span, onStep, firstRow);
  return preferCertified(observed, await certify(readableModel(model), span, null, onStep));
}

/**
 * Reads a file of ranges for the layers in `span`.
 * @throws ModelFileError naming the file where it is malformed, another model's, or lacks a layer.
 */
export async function readRanges(file: string, model: Model, span: LayerSpan): Promise<ModelRanges> {
  const ranges = await parseRanges(file);
  if (ranges.model !== model.fingerprint)
    throw new ModelFileError(
      file,
      `model: expected the ranges of ${model.name} (fingerprint ${model.fingerprint.slice(0, 12)}), got another model's (${ranges.model.slice(0, 12)}); weir calibrate makes them`,
    );
  const missing = marks(span).find((site) => !(site in ranges.sites));
  if (missing !== undefined)
    throw new ModelFileError(file, `sites: expected ${missing}, got none; weir calibrate with this layer makes it`);
  return ranges;
}

/** Where the ranges of a model lie, if it has some. */
export const rangesFileOf = ({ path: where }: Model): string =>
  path.join(where.toLowerCase().endsWith(".gguf") ? path.dirname(where) : where, RANGES_FILE);

/** Ranges as a file, with numbers of six digits: margins are far above that. */
export function rangesJson(ranges: ModelRanges): string {
  const short = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value;
  return `${JSON.stringify(ranges, short, 2)}\n`;
}

async function parseRanges(file: string): Promise<ModelRanges> {
  const parsed = modelRanges.safeParse(await readJsonFile(file, MAX_BYTES));
  if (parsed.success) return parsed.data;
  const { path: at, message } = parsed.error.issues[0];
  throw new ModelFileError(file, `${at.join(".") || "ranges"}: ${message}`);
}

/** The site that every layer, and the head, certainly has. */
const marks = ({ from, to, head }: LayerSpan): string[] => [
  ...Array.from({ length: to - from }, (_, i) => `layers.${from + i}.out.0`),
  ...(head ? ["head.out.0"] : []),
];

const covers = ({ sites }: ModelRanges, span: LayerSpan): boolean => marks(span).every((site) => site in sites);

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
