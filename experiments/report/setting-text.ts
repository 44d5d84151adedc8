/** Keys and values of settings in a reader's words: "first 2 layers on shares, alpha 8, c 1, masked merge". */
const WORDS: Readonly<Record<string, (value: unknown) => string>> = {
  smpcLayers: onShares,
  placement: (value) => plain(value).replaceAll(":", " "),
  merge: (value) => `${plain(value)} merge`,
  parties: (value) => `${plain(value)} parties`,
  model: plain,
  attack: plain,
  kind: (value) => (value === "row" ? "rows" : `${plain(value)} rows`),
  family: plain,
  wire: plain,
  probes: (value) => `probes: ${plain(value)}`,
  r: (value) => `rows by ${plain(value)}`,
  s: (value) => `columns by ${plain(value)}`,
};

/** One key of a setting. Empty for a value that isn't there. */
export function settingText(key: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  return WORDS[key]?.(value) ?? `${spaced(key)} ${plain(value)}`;
}

const NAMES: Readonly<Record<string, string>> = {
  smpcLayers: "layers on shares",
  whole: "share of all tokens",
  size: "parties together",
  hiddenRougeL: "hidden ROUGE-L",
  wholeRougeL: "whole ROUGE-L",
};

/** A name of code as words: "hiddenAccuracy" is "hidden accuracy", "best.top1" is "best, top1". */
export const spaced = (name: string): string =>
  NAMES[name] ??
  name
    .replace(/([a-z0-9])([A-Z])/g, (_, before: string, letter: string) => `${before} ${letter.toLowerCase()}`)
    .replaceAll(".", ", ");

function plain(value: unknown): string {
  if (typeof value === "object" && value !== null && "rule" in value) return String(value.rule);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** "no layer on shares", "first 2 layers on shares", "layers 0,7 on shares". */
function onShares(value: unknown): string {
  const text = plain(value).replaceAll(":", " ");
  if (text === "none") return "no layer on shares";
  if (text.endsWith(" 1")) return `${text.slice(0, -2)} layer on shares`;
  return /^\d/.test(text) ? `layers ${text} on shares` : `${text} layers on shares`;
}
