import fc from "fast-check";

/** Characters that implementations disagree about, and edges of their tables. */
export const NOTABLE: readonly string[] = Array.from(
  "ΣσςİıIiſKÅßẞﬀﬁﬂﬆŉǅǆǄΐὨᾨ₤½¼²³¹¾Ⅷ①٣३五℃" +
    "\u0000\u0001\t\n\v\f\r\u001c\u001f\u007f\u0085\u00a0\u00ad\u061c\u1680\u180e\u2000\u2007\u2009\u200a\u200b\u200c\u200d\u200e" +
    "\u2028\u2029\u202e\u202f\u205f\u2060\u2066\u3000\ufe0f\ufeff\ufff9\ufffc\ufffd\ufffe\uffff\u{e0001}\u{e0041}\u{f0000}\u{10fffd}\u{10ffff}" +
    "\u0300\u0301\u0316\u0334\u0345\u0327\u05b0\u0e38\u0f71\u1734\u1cf2\u3099\u309a\u20dd\u{1d165}\u{1171e}\u{16d67}\u{105d2}\u{11382}" +
    "中㐀𠀀𪜀𫝀𫠠𬺰𮯠𰀀𱍐豈﨎丽鿿龥〇一ー々" +
    "가각각ㄱ한ﾡ" +
    "😀👍🏽👩👧❤🇫🇷🏴*️⃣" +
    "'\"`$+<=>^|~_-.,;:!?()[]{}@#%&\\/«»‹›“”‘’…–—¿¡·٪।۔،៛🤝\u{11fff}\u{16e99}" +
    "▁ĠĊ<>",
);
/** The same in company: sequences that compose or don't, contractions, what looks like tokens. */
const WORDS = (
  "the| the|The|HELLO|don't|I'LL|we'Ve|'ſ|'S| 's|naïve|ΟΔΟΣ|ΣΑΣ|İSTANBUL|straße|ΑΣ.|x1y2|  |   |\n\n| \n |" +
  "\r\n|\t | .| n't| do not|<s>|</s>|<m>|[X]|<0x41>|<0xE4>|e\u0301|\u1100\u1161|a\u0316\u0301|\u{1d157}\u{1d165}|" +
  "\u{105d2}\u0307|\u{11935}\u{11930}|\u304b\u3099|\u212b|\ufb4f|\u0958|12345|1,234.5|½x"
).split("|");

const character = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...Array.from("abcstTzZ019  e'")) },
  { weight: 5, arbitrary: fc.constantFrom(...NOTABLE) },
  { weight: 1, arbitrary: fc.integer({ min: 0x80, max: 0x2fff }) },
  { weight: 1, arbitrary: fc.integer({ min: 0x3000, max: 0xffff }) },
  { weight: 1, arbitrary: fc.integer({ min: 0x10000, max: 0x1ffff }) },
  { weight: 1, arbitrary: fc.integer({ min: 0x20000, max: 0x10ffff }) },
);
/** A text of all planes: no surrogate but in pairs. */
export const ANY_TEXT: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 3, arbitrary: character }, { weight: 2, arbitrary: fc.constantFrom(...WORDS) }), {
    maxLength: 14,
  })
  .map((units) =>
    units
      .map((unit) =>
        typeof unit === "string" ? unit : unit >= 0xd800 && unit < 0xe000 ? "?" : String.fromCodePoint(unit),
      )
      .join(""),
  );
