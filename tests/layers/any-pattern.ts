import fc from "fast-check";

/** What a pattern may say of one character or a few, with `~` between. */
const ATOMS = (
  "a~s~t~ ~'~\\p{L}~\\p{N}~\\P{L}~\\p{^N}~\\s~\\S~\\w~\\W~\\d~\\D~\\h~.~\\n~\\r~[^\\s\\p{L}\\p{N}]~[\\r\\n]~" +
  "[^\\r\\n\\p{L}\\p{N}]~[a-z&&[^st]]~[[:alpha:]_]~[[:^space:]]~[[:punct:]]~[]a]~[^]a]~[\\p{Lu}\\p{Lt}]~[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]~" +
  "[\\p{P}\\p{S}]~\\p{Han}~\\p{Alphabetic}~\\p{Z}~\\p{C}~[一-龥]~[^(\\s|[.,!?…。])]~\\x{4e2d}~\\u00e9~\\.~[-a]~" +
  "[a-c-e]~\\p{Greek}~\\p{M}~[\\w'-]~\\p{Nd}~(?i:'s|'t|'re|'ve)~(?i:[sdmt]|ll)~(?i:k)"
).split("~");
const PATTERNS = [
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[一-龥぀-ゟ゠-ヿ]+",
  "\\p{N}{1,3}",
  " ?[^(\\s|[.,!?…。，、।۔،])]+",
  "\\s+$",
  "^\\s+",
  "\\w+|[^\\w\\s]+",
  "[0-9][0-9][0-9]",
  "\\b",
  "\\Ba",
  "x*",
  "(?=\\p{Lu})",
  "(?<=\\p{Ll})(?=\\p{Lu})",
  "(?<!a)b|\\Aa|e\\z|c\\Z",
] as const;
const repeat = fc.constantFrom(
  "",
  "",
  "",
  "*",
  "+",
  "?",
  "+?",
  "*?",
  "++",
  "?+",
  "{2}",
  "{1,3}",
  "{2,}",
  "{,2}",
  "{1,2}?",
  "{2}+",
);
const simple = fc
  .array(fc.tuple(fc.constantFrom(...ATOMS), repeat), { minLength: 1, maxLength: 3 })
  .map((items) => items.map((item) => item.join("")).join(""));
const anyRegex = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...PATTERNS) },
  { weight: 1, arbitrary: fc.array(simple, { minLength: 1, maxLength: 3 }).map((options) => options.join("|")) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(simple, fc.constantFrom("(?:", "(", "(?>", "(?=", "(?!", "(?<=", "(?i:"), simple, repeat, simple)
      .map(
        ([before, open, inner, times, after]) =>
          `${before}${open}${inner})${open.includes("=") || open === "(?!" ? "" : times}${after}`,
      ),
  },
);
/** A pattern as tokenizer.json writes it: what models have, and any of what Oniguruma can say. */
export const ANY_PATTERN = fc.oneof(
  fc.constantFrom(" ", "a", "  ", "st", ".", "é", "▁", "-", "the").map((String) => ({ String })),
  anyRegex.map((Regex) => ({ Regex })),
);
