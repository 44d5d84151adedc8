import type { ExperimentRecord } from "../experiments/lab/experiment-record.ts";
import { textTable } from "./text-table.ts";

/** Records of a question for a person, in lines of at most `width` characters: a table a measure, a line a cell, what all have in common once. */
export function experimentTable(records: readonly ExperimentRecord[], width: number): string {
  const isCommon = commonTo(records);
  const common = settingText(records[0].cell, isCommon);
  const [{ model, workload }] = records;
  const lengths = [...new Set(records.map(({ workload: { tokens } }) => tokens))];
  const head = [model.name, `${workload.prompts} x ${lengths.join(", ")} tokens`, ...(common === "" ? [] : [common])];
  const measures = [...new Set(records.map(({ cell }) => cell.measure))];
  const tables = measures.map((measure) => {
    const of = records.filter(({ cell }) => cell.measure === measure);
    const figures = [...new Set(of.flatMap((record) => Object.keys(record.figures)))];
    const rows = of.map((record) => [
      [
        settingText(record.cell, (key, value) => !isCommon(key, value)),
        ...(lengths.length > 1 ? [`${record.workload.tokens} tokens`] : []),
      ]
        .filter((part) => part !== "")
        .join(", ") || "-",
      ...figures.map((name) => shown(record.figures[name])),
      record.void === null ? (record.verdict ?? "") : `void: ${record.void}`,
    ]);
    return [measure, ...textTable(["setting", ...figures, "verdict"], rows, width)].join("\n");
  });
  return [head.join(", "), ...tables].join("\n\n");
}

/** "alpha 4, merge masked, rttMs 20": of the keys that `isShown`. */
export function settingText(
  { setting, network }: Pick<ExperimentRecord["cell"], "setting" | "network">,
  isShown: (key: string, value: unknown) => boolean = () => true,
): string {
  return Object.entries({ ...setting, ...network })
    .filter(([key, value]) => isShown(key, value))
    .map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** Do all records have a key with one value? */
function commonTo(records: readonly ExperimentRecord[]): (key: string, value: unknown) => boolean {
  const of = records.map(({ cell }): Record<string, unknown> => ({ ...cell.setting, ...cell.network }));
  return (key, value) => of.every((each) => JSON.stringify(each[key]) === JSON.stringify(value));
}

function shown(figure: ExperimentRecord["figures"][string] | undefined): string {
  if (figure === undefined || figure === null) return "-";
  if (typeof figure === "object") return `${digits(figure.mean)} [${digits(figure.low)}, ${digits(figure.high)}]`;
  return typeof figure === "number" ? digits(figure) : String(figure);
}

const digits = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3));
