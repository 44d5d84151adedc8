import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";

/** What a generation said, and when. */
export interface SpokenText {
  readonly text: string;
  readonly generatedIds: readonly number[];
  /** `performance.now()` when the first token came, and after the last one. */
  readonly firstTokenAt: number;
  readonly endedAt: number;
}

/** Takes tokens in as they come and tells `onText` what they say, without special tokens; `promptIds` went before them. */
export async function spokenText(
  tokens: AsyncIterable<number>,
  { tokenizer, promptIds }: { readonly tokenizer: Tokenizer; readonly promptIds: readonly number[] },
  onText: (text: string) => void,
): Promise<SpokenText> {
  const generatedIds: number[] = [];
  let text = "";
  const give = (piece: string): void => {
    text += piece;
    onText(piece);
  };
  let firstTokenAt = 0;
  const decoder = tokenizer.streamDecoder({ skipSpecial: true, after: promptIds });
  for await (const id of tokens) {
    if (generatedIds.length === 0) firstTokenAt = performance.now();
    generatedIds.push(id);
    give(decoder.push(id));
  }
  give(decoder.flush());
  return { text, generatedIds, firstTokenAt, endedAt: performance.now() };
}
