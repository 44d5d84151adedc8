/**
 * The words of an anchor, the comment that says what a claim rests on. Parts are parted by semicolons:
 *
 *   record: FILE key=value ...: metric, metric   rows of FILE (experiments/attacks/records) whose keys have these values, and figures of
 *                                                them that the claim states; without metrics: that there is such a row
 *   table: FILE key=value ... by COLUMN=key, ...: COLUMN = metric, ...   the same of every row of the table below
 *   claims: 3                                    how many sentences of the text before make a claim, where it isn't one
 *   given: 0.9, 64                               figures that are set, not measured
 *   test: FILE "NAME"                            a test that fails where the claim is false (a name: of it or its describe)
 *   proof: NAME                                  what `weir prove NAME` proves
 *   finding: N                                   section N of FINDINGS.md, which has anchors of its own
 *   definition: WHY, assumption: WHY, outside: WHY   no record: what the words mean, what is taken for granted, measured elsewhere
 *
 * A metric is a path of a record (`hiddenAccuracy`, `best.top1`) or an expression of them (`10^passes50PercentLog10`; [mean, low, high] with
 * ends), that in percent (`best.top1 %`), two as a count (`fitted of judged`), the first that there is (`exactAt1e5 or exactAt2e4`), or `min`,
 * `max`, `sum` of an expression over the rows, `count(key=value)` of them; intervals count as their means in expressions. `verdict == leaks` must
 * hold of the rows, and needn't be said; of a column, `verdicts` are all of theirs ("2 breaks, 1 leaks"). Each row's value of a metric must stand in the text, and every share and decimal of the text must be one of them or given.
 */
export type AnchorPart =
  | { readonly kind: "record"; readonly of: RowChoice; readonly metrics: readonly string[] }
  | {
      readonly kind: "table";
      readonly of: RowChoice;
      /** Column -> the keys that its cell gives, in their order. */
      readonly by: ReadonlyMap<string, readonly string[]>;
      /** Column -> metrics that its cells state. */
      readonly columns: ReadonlyMap<string, readonly string[]>;
    }
  | { readonly kind: "given"; readonly figures: readonly number[] }
  | { readonly kind: "claims"; readonly count: number }
  | { readonly kind: "test"; readonly file: string; readonly name: string | null }
  | { readonly kind: "proof"; readonly name: string }
  | { readonly kind: "finding"; readonly section: string }
  | { readonly kind: "reason"; readonly word: string; readonly why: string };

export interface RowChoice {
  readonly file: string;
  readonly where: ReadonlyMap<string, string>;
}

export const REASONS = ["definition", "assumption", "outside"] as const;
const KINDS = ["record", "table", "given", "claims", "test", "proof", "finding", ...REASONS];
const KIND = new RegExp(`^(${KINDS.join("|")}): *`);

/** Is a comment an anchor at all? */
export const isAnchor = (comment: string): boolean => KIND.test(comment.trim());

/** The parts of an anchor. Throws Error naming the part that is none. */
export function parseAnchor(comment: string): AnchorPart[] {
  return comment
    .replaceAll(/\s+/g, " ")
    .trim()
    .split(/; (?=[a-z]+: )/)
    .map(parsePart);
}

function parsePart(part: string): AnchorPart {
  const kind = KIND.exec(part)?.[1];
  if (kind === undefined) throw new Error(`anchor: expected one of ${KINDS.join(", ")} before a colon, got ${part}`);
  const rest = part.slice(part.indexOf(":") + 1).trim();
  if (rest === "") throw new Error(`anchor: expected something after ${kind}:, got nothing`);
  if (kind === "given") return { kind, figures: listed(rest).map((text) => Number(text.replaceAll(",", ""))) };
  if (kind === "claims") return { kind, count: Number(rest) };
  if (kind === "proof") return { kind, name: rest };
  if (kind === "finding") return { kind, section: rest };
  if (kind === "test") {
    const [, file, name] = /^(\S+\.test\.ts)(?: "([^"]+)")?$/.exec(rest) ?? [];
    if (file === undefined) throw new Error(`anchor: expected test: FILE.test.ts "NAME", got ${part}`);
    return { kind, file, name: name ?? null };
  }
  if (kind === "record") {
    const [rows, metrics] = headed(rest);
    return { kind, of: choice(rows), metrics: listed(metrics) };
  }
  if (kind === "table") {
    const [rows, columns] = headed(rest);
    const [files, by] = rows.split(" by ");
    return { kind, of: choice(files), by: pairs(by ?? ""), columns: pairs(columns) };
  }
  if (rest.length < 12) throw new Error(`anchor: expected a reason after ${kind}:, got ${rest}`);
  return { kind: "reason", word: kind, why: rest };
}

/** "FILE a=1: x, y" in its two halves; a value may hold a colon, behind which no space comes. */
function headed(text: string): [string, string] {
  const at = text.search(/:(?: |$)/);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1).trim()];
}

function choice(text: string): RowChoice {
  const [file, ...where] = text.trim().split(" ");
  const pair = (part: string): [string, string] => {
    const [key, ...value] = part.split("=");
    if (value.length === 0) throw new Error(`anchor: expected key=value behind ${file}, got ${part}`);
    return [key, value.join("=")];
  };
  return { file, where: new Map(where.map(pair)) };
}

/** Items parted by commas outside of brackets. */
const listed = (text: string): string[] => text.split(/, (?![^(]*\))/).filter((item) => item !== "");

/** `"a column" = x + y, b = z`: several values are joined by &. */
function pairs(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [, quoted, bare, values] of text.matchAll(/(?:"([^"]+)"|([^",=]+?)) *= *([^"=]+?)(?=$|, (?:"|[^",=]+=))/g))
    found.set(
      (quoted ?? bare).trim(),
      values.split(" & ").map((value) => value.trim()),
    );
  return found;
}
