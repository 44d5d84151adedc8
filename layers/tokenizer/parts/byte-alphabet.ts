const visible = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** GPT-2's characters for bytes: visible ones of Latin-1 for themselves, those from U+0100 on for the others in order. */
const CHARACTERS: readonly string[] = (() => {
  let others = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : others++));
})();
const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Texts as bytes that are written as characters: the alphabet of byte-level BPE. */
export const BYTE_ALPHABET = {
  /** A text's UTF-8, a character for each byte. */
  write(text: string): string {
    let written = "";
    for (const byte of encoder.encode(text)) written += CHARACTERS[byte];
    return written;
  },

  /** What the tokens' bytes say together; a token with a character that stands for no byte is its own UTF-8. Torn characters become U+FFFD. */
  read(tokens: readonly string[]): string {
    const bytes = tokens.flatMap((token) => {
      const own = Array.from(token, (character) => BYTES.get(character));
      return own.every((byte) => byte !== undefined) ? own : [...encoder.encode(token)];
    });
    return decoder.decode(Uint8Array.from(bytes));
  },
} as const;
