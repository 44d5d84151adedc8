/** The claims of a page, what each rests on, and what is wrong with them. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { isAnchor, parseAnchor, type AnchorPart } from "./claim-anchor.ts";
import { claimsIn, plain } from "./claim-words.ts";
import { pageUnits, type PageUnit } from "./page-units.ts";
import type { RecordFigures, Stated } from "./record-figures.ts";
import { sourceWords } from "./source-words.ts";
import { figureFaults } from "./text-figures.ts";

/** What anchors may name. */
export interface Sources {
  readonly records: RecordFigures;
  /** Of lemmas and statements of secrecy. */
  readonly proofs: readonly string[];
  /** Sections of FINDINGS.md, by number, that have anchors. */
  readonly sections: ReadonlySet<string>;
  readonly checkout: string;
}

export interface Claim {
  readonly where: string;
  readonly text: string;
  /** Records, tests, proofs, sections and reasons. */
  readonly restsOn: readonly string[];
}

export interface PageClaims {
  readonly claims: readonly Claim[];
  readonly faults: readonly string[];
}

/** Reads a page's claims. `isEvery`: each share and decimal of it is a claim too. */
export const pageClaims = (page: string, text: string, isEvery: boolean, sources: Sources): PageClaims =>
  joined(pageUnits(text).map((unit) => unitClaims(unit, page, isEvery, sources)));

/** Reads the claims that texts of a source make. */
export const sourceClaims = (file: string, source: string, sources: Sources): PageClaims =>
  joined(
    sourceWords(source).map((words) =>
      unitClaims({ ...words, cells: null, ofTable: [], isAmongAnchored: false }, file, false, sources),
    ),
  );

/** Claims and faults of several as one. */
export const joined = (parts: readonly PageClaims[]): PageClaims => ({
  claims: parts.flatMap(({ claims }) => claims),
  faults: parts.flatMap(({ faults }) => faults),
});

function unitClaims(unit: PageUnit, page: string, isEvery: boolean, sources: Sources): PageClaims {
  const where = `${page}:${unit.line}`;
  const worded = claimsIn(unit.text, isEvery);
  // A row beside others that are claims is one, and on a page of results one with a number.
  const isRow = unit.cells !== null && (unit.isAmongAnchored || (isEvery && /\d/.test(unit.text)));
  const found = worded.length === 0 && isRow ? [unit.text] : worded;
  try {
    const parts = partsOf(unit);
    const restsOn = parts.flatMap((part) => named(part, unit));
    const bare = restsOn.length > 0 ? [] : found.map((claim) => `names no record, proof or test: ${oneLine(claim)}`);
    // A sentence more, or a comment less, doesn't hide behind the next comment.
    const count = parts.reduce((most, part) => (part.kind === "claims" ? part.count : most), 1);
    const isOff = unit.anchors.some(isAnchor) && unit.cells === null && Math.max(1, found.length) !== count;
    if (isOff)
      bare.push(
        `its comment is for ${count} claims, got ${found.length}: say what each rests on, then claims: ${found.length}`,
      );
    // What has an anchor of its own is a claim, whatever its words.
    const texts = found.length > 0 ? found : unit.anchors.some(isAnchor) ? [unit.text] : [];
    return {
      claims: texts.map((claim) => ({ where, text: oneLine(claim), restsOn })),
      faults: [...bare, ...unitFaults(unit, parts, sources)].map((fault) => `${where}: ${fault}`),
    };
  } catch (error) {
    return { claims: [], faults: [`${where}: ${(error as Error).message}`] };
  }
}

const oneLine = (text: string): string => plain(text).replaceAll(/\s+/g, " ").trim();

/** A row's own anchors stand for its table's. */
function partsOf({ anchors, ofTable }: PageUnit): AnchorPart[] {
  const own = anchors.filter(isAnchor);
  return (own.length > 0 ? own : ofTable.filter(isAnchor)).flatMap(parseAnchor);
}

function unitFaults(unit: PageUnit, parts: readonly AnchorPart[], sources: Sources): string[] {
  const { records } = sources;
  const given = parts.flatMap((part) => (part.kind === "given" ? part.figures : []));
  const faults = parts.flatMap((part) => missing(part, sources));
  const figures = parts.flatMap((part) => {
    if (part.kind !== "record") return [];
    const rows = records.rows(filled(part.of, unit));
    for (const metric of part.metrics) if (metric.includes(" == ")) records.hold(rows, metric);
    const shown = part.metrics.filter((metric) => !metric.includes(" == "));
    return shown.flatMap((metric) => records.stated(rows, metric).map((stated) => ({ metric, stated })));
  });
  if (parts.some(({ kind }) => kind === "record")) faults.push(...figureFaults(unit.text, figures, given));
  for (const part of parts) if (part.kind === "table") faults.push(...rowFaults(part, unit, given, records));
  return faults;
}

type TablePart = Extract<AnchorPart, { kind: "table" }>;

/** Faults of the cells of a row by its table's anchor. */
function rowFaults(part: TablePart, unit: PageUnit, given: readonly number[], records: RecordFigures): string[] {
  const cell = (column: string): string => {
    const found = unit.cells?.get(column);
    if (found === undefined) throw new Error(`anchor: expected a column ${column} in the table, got none`);
    return found.replaceAll("*", "");
  };
  if ([...part.columns.keys()].every((column) => cell(column) === "")) return [];
  const where = new Map(part.of.where);
  for (const [column, keys] of part.by)
    for (const [at, value] of cell(column)
      .replace(/ \(.*\)$/, "")
      .split(", ")
      .entries())
      where.set(keys[at] ?? keys[0], value.replaceAll(",", ""));
  const rows = records.rows(filled({ file: part.of.file, where }, unit));
  return [...part.columns].flatMap(([column, metrics]) => {
    const text = cell(column);
    if (text === "") return [];
    if (metrics[0] === "verdicts") {
      const verdicts = records.verdicts(rows);
      return text === verdicts ? [] : [`${column}: expected ${verdicts} by its record, got ${text}`];
    }
    const figures = metrics.flatMap((metric) =>
      records.stated(rows, metric).map((stated): { metric: string; stated: Stated } => ({ metric, stated })),
    );
    return figureFaults(text, figures, given).map((fault) => `${column}: ${fault}`);
  });
}

/** A choice whose {column} is a cell of the row. */
function filled<Choice extends { file: string }>(choice: Choice, { cells }: PageUnit): Choice {
  return { ...choice, file: choice.file.replaceAll(/\{([^}]+)\}/g, (_, column: string) => cells?.get(column) ?? "") };
}

/** What an anchor names and isn't there. */
function missing(part: AnchorPart, { proofs, sections, checkout }: Sources): string[] {
  if (part.kind === "proof" && !proofs.some((name) => name.startsWith(part.name)))
    return [`proof: expected the beginning of a lemma's name, got ${part.name}`];
  if (part.kind === "finding" && !sections.has(part.section))
    return [`finding: expected a section of FINDINGS.md with anchors, got ${part.section}`];
  if (part.kind !== "test") return [];
  let text: string;
  try {
    text = readFileSync(path.join(checkout, part.file), "utf8");
  } catch {
    return [`test: expected a file, got ${part.file}`];
  }
  return part.name === null || text.includes(part.name) ? [] : [`test: expected "${part.name}" in ${part.file}`];
}

function named(part: AnchorPart, unit: PageUnit): string[] {
  switch (part.kind) {
    case "record":
    case "table":
      return [filled(part.of, unit).file];
    case "test":
      return [part.file];
    case "proof":
      return [`weir prove "${part.name}"`];
    case "finding":
      return [`FINDINGS.md, section ${part.section}`];
    case "reason":
      return [`${part.word}: ${part.why}`];
    case "given":
    case "claims":
      return [];
  }
}

/** Numbers of the sections of FINDINGS.md that have an anchor in them. */
export function anchoredSections(text: string): Set<string> {
  const sections = text.split(/^## /m).slice(1);
  const found = sections.filter((section) =>
    pageUnits(section).some((unit) => [...unit.anchors, ...unit.ofTable].some(isAnchor)),
  );
  return new Set(found.flatMap((section) => /^(\d+)\./.exec(section)?.[1] ?? []));
}
