type Around = readonly [token: string, id: number];

/** What a post-processor of tokenizer.json puts around a text's tokens. */
export type PostProcessorPart =
  | { readonly type: "Sequence"; readonly processors: readonly PostProcessorPart[] }
  | { readonly type: "ByteLevel" }
  | {
      readonly type: "TemplateProcessing";
      readonly single: readonly TemplateItem[];
      readonly special_tokens: Readonly<Record<string, { readonly ids: readonly number[] }>>;
    }
  | { readonly type: "BertProcessing" | "RobertaProcessing"; readonly sep: Around; readonly cls: Around };

export type TemplateItem =
  | { readonly SpecialToken: { readonly id: string } }
  | { readonly Sequence: { readonly id: "A" | "B" } };

/**
 * The ids of one text as a post-processor gives them: with the tokens that the model wants around it where `addSpecial` is.
 * @param part checked: of a sequence one part adds tokens at most.
 */
export function aroundText(part: PostProcessorPart, ids: readonly number[], addSpecial: boolean): number[] {
  switch (part.type) {
    case "Sequence":
      return part.processors.reduce((inner, processor) => aroundText(processor, inner, addSpecial), [...ids]);
    case "ByteLevel":
      return [...ids];
    case "TemplateProcessing":
      return part.single.flatMap((item) => {
        if ("Sequence" in item) return ids;
        return addSpecial ? part.special_tokens[item.SpecialToken.id].ids : [];
      });
    case "BertProcessing":
    case "RobertaProcessing":
      return addSpecial ? [part.cls[1], ...ids, part.sep[1]] : [...ids];
  }
}
