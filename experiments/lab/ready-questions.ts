/** The questions that come with weir. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readQuestion, type Question } from "./question.ts";

const CONFIGS = fileURLToPath(new URL("../configs", import.meta.url));

/** Questions with their files, in order of name; files that others extend alone aren't questions. */
export async function readyQuestions(): Promise<{ file: string; question: Question }[]> {
  const names = (await readdir(CONFIGS)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (name) => {
      const file = path.join(CONFIGS, name);
      return { file, question: (await readQuestion(file)).question };
    }),
  );
}
