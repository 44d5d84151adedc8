/** The tracked files of the checkout, as the rules of the house read them. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** Path relative to the checkout, with forward slashes -> text. */
export type Sources = ReadonlyMap<string, string>;

export const CHECKOUT = path.resolve(import.meta.dirname, "../..");

const isText = (file: string): boolean =>
  !/\.(safetensors|gguf|onnx|wasm|png|pem|key)$/.test(file) && !file.endsWith("tokenizer.json");

/** Every tracked file; one that isn't text is there with its name alone. */
export const SOURCES: Sources = new Map(
  execFileSync("git", ["ls-files", "-z"], { cwd: CHECKOUT, encoding: "utf8" })
    .split("\0")
    .filter((file) => file !== "" && existsSync(path.join(CHECKOUT, file)))
    .map((file) => [file, isText(file) ? readFileSync(path.join(CHECKOUT, file), "utf8") : ""]),
);
