import { BYTE_ALPHABET } from "./byte-alphabet.ts";
import type { PrependScheme } from "./pre-tokenizer.ts";

/** A decoder of tokenizer.json. */
export type DecoderPart =
  | { readonly type: "Sequence"; readonly decoders: readonly DecoderPart[] }
  | { readonly type: "ByteLevel" | "ByteFallback" | "Fuse" }
  | { readonly type: "WordPiece"; readonly prefix: string; readonly cleanup: boolean }
  | { readonly type: "Replace"; readonly pattern: { readonly String: string }; readonly content: string }
  | { readonly type: "Strip"; readonly content: string; readonly start: number; readonly stop: number }
  | { readonly type: "Metaspace"; readonly replacement: string; readonly prepend_scheme?: PrependScheme };

/** Tokens to tokens: the next decoder's, or texts that are joined. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
/** What WordPiece's clean-up writes together, in this order. */
const CLEANED: readonly (readonly [from: string, to: string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** A decoder as tokenizers' decoders have it. */
export function createDecoder(part: DecoderPart): Decoder {
  switch (part.type) {
    case "Sequence": {
      const steps = part.decoders.map(createDecoder);
      return (tokens) => steps.reduce((given, step) => step(given), tokens);
    }
    case "ByteLevel":
      return (tokens) => [BYTE_ALPHABET.read(tokens)];
    case "ByteFallback":
      return joinBytes;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "WordPiece":
      return (tokens) => tokens.map((token, i) => wordPiece(token, i === 0, part));
    case "Replace":
      return (tokens) => tokens.map((token) => token.replaceAll(part.pattern.String, () => part.content));
    case "Strip":
      return (tokens) => tokens.map((token) => strip(token, part));
    case "Metaspace": {
      const begins = part.prepend_scheme === "never" ? " " : "";
      return (tokens) => tokens.map((token, i) => token.replaceAll(part.replacement, i === 0 ? begins : " "));
    }
  }
}

/** Whether a token is a byte of ByteFallback, whose text hangs on those next to it. */
export const isByteToken = (token: string): boolean => BYTE_TOKEN.test(token);

/** Neighbouring bytes that are UTF-8 together give their text; if they aren't, each of them is U+FFFD. */
function joinBytes(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const giveBytes = (): void => {
    if (bytes.length === 0) return;
    try {
      texts.push(utf8.decode(Uint8Array.from(bytes)));
    } catch {
      texts.push(...bytes.map(() => "\uFFFD"));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = BYTE_TOKEN.exec(token);
    if (byte) bytes.push(parseInt(byte[1], 16));
    else {
      giveBytes();
      texts.push(token);
    }
  }
  giveBytes();
  return texts;
}

function wordPiece(token: string, first: boolean, part: Extract<DecoderPart, { type: "WordPiece" }>): string {
  const continues = token.startsWith(part.prefix);
  const text = first ? token : continues ? token.slice(part.prefix.length) : ` ${token}`;
  return part.cleanup ? CLEANED.reduce((clean, [from, to]) => clean.replaceAll(from, to), text) : text;
}

function strip(token: string, part: Extract<DecoderPart, { type: "Strip" }>): string {
  const characters = Array.from(token);
  let start = 0;
  while (start < part.start && characters[start] === part.content) start++;
  let stop = 0;
  while (stop < part.stop && stop < characters.length && characters.at(-1 - stop) === part.content) stop++;
  return characters.slice(start, characters.length - stop).join("");
}
