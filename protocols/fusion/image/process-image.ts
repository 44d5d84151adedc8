import path from "node:path";
import { buildImage } from "./build-image.mjs";
import { findImage } from "./code-image.cjs";

const CHECKOUT = path.resolve(import.meta.dirname, "../../..");

/** What starts a process of an image: a script, and its first arguments (run-image.cjs has the others). */
export interface ProcessImage {
  readonly script: string;
  readonly arguments: readonly string[];
}

/**
 * The image of an entry that exports `run` (its path relative to the checkout), made if there is none of these sources, which `report` is
 * told of. Throws Error where nothing can be written.
 */
export async function processImage(entry: string, report?: (doing: string) => void): Promise<ProcessImage> {
  let image = findImage(CHECKOUT, entry);
  if (image === null) {
    report?.("translating what the parties run, once after each change of the sources");
    image = await buildImage(CHECKOUT, entry);
  }
  return { script: path.join(import.meta.dirname, "run-image.cjs"), arguments: [image, CHECKOUT] };
}
