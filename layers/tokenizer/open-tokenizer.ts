import { openGguf } from "../weights/gguf.ts";
import { createTokenizer } from "./create-tokenizer.ts";
import { readFolderTokenizer } from "./folder-tokenizer.ts";
import { readGgufTokenizer } from "./gguf-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Opens the tokenizer of a model: of a folder (tokenizer.json and the files beside it), or of a .gguf file's metadata.
 * @throws ModelFileError naming the file and the fault, or the kind that isn't supported.
 */
export async function openTokenizer(modelPath: string): Promise<Tokenizer> {
  if (!modelPath.toLowerCase().endsWith(".gguf")) {
    const { tokenizerJson, facts } = await readFolderTokenizer(modelPath);
    return createTokenizer(tokenizerJson, facts);
  }
  const source = await openGguf(modelPath);
  try {
    const { tokenizerJson, facts } = readGgufTokenizer(source.files[0], source.metadata);
    return createTokenizer(tokenizerJson, facts);
  } finally {
    await source.close();
  }
}
