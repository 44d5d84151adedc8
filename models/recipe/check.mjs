// Compares @huggingface/tokenizers 0.2 with the ids in cases.json (made by cases.py).
//   node check.mjs ../default build/cases.json
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const [folder, file] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const tokenizer = new Tokenizer(json(`${folder}/tokenizer.json`), json(`${folder}/tokenizer_config.json`));
const cases = json(file);
let wrong = 0;
for (const { text, ids, decoded } of cases) {
  const got = tokenizer.encode(text).ids;
  const back = ids.length ? tokenizer.decode(ids, { skip_special_tokens: false }) : "";
  if (JSON.stringify(got) !== JSON.stringify(ids) || back !== decoded) {
    wrong += 1;
    console.log("differs:", JSON.stringify({ text, ids, got, back }).slice(0, 400));
  }
}
console.log(`${cases.length - wrong} of ${cases.length} strings agree`);
process.exit(wrong ? 1 : 0);
