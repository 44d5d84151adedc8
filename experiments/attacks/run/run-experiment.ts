/** All cells of a config, one after the other; a run that was cut goes on where it ended. */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../../layers/file-error.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { attackNamed } from "../registry.ts";
import { configHash, type AttackConfig } from "./attack-config.ts";
import { cellRecord, type CellRecord } from "./cell-record.ts";
import type { Cell, Experiment } from "./attack-setting.ts";
import { PositiveControl } from "./positive-control.ts";
import { cellsOf, runCell } from "./run-cell.ts";
import { settingWithModel, SettingSessions } from "./setting-sessions.ts";
import { promptIds, trainingText } from "./texts.ts";

export interface ExperimentOptions {
  /** Folder that the config's files are relative to. */
  readonly folder: string;
  /** NDJSON file that records are added to, and finished cells are read from; null: neither. */
  readonly out: string | null;
  readonly report: (doing: string) => void;
}

/**
 * Runs the cells that `out` doesn't hold yet, and gives the records of all. Throws Error naming what is wrong with the config or its files;
 * cells that are finished by then are in `out`.
 */
export async function runExperiment(config: AttackConfig, options: ExperimentOptions): Promise<CellRecord[]> {
  const { folder, out, report } = options;
  const attack = attackNamed(config.attack.name);
  const tokenizer = await openTokenizer(config.model ?? DEFAULT_MODEL);
  const encode = (text: string): number[] => tokenizer.encode(text, { addSpecial: true });
  const experiment: Experiment = {
    config,
    attack,
    options: attack.parseOptions(config.attack.options),
    encode,
    prompts: await promptIds(config, folder, encode),
    training: await trainingText(config, folder),
    report,
  };
  const records = out === null ? new Map<string, CellRecord>() : await readFinished(out, configHash(config));
  const cells = cellsOf(config);
  const control = new PositiveControl(experiment);
  try {
    for (const setting of config.grid.settings) {
      const open = cells.filter((cell) => cell.setting === setting && !records.has(cellKey(cell)));
      if (open.length === 0) continue;
      const sessions = await SettingSessions.open(settingWithModel(config, setting), experiment.prompts, report);
      try {
        for (const cell of open) {
          const telling = (doing: string): void =>
            report(`cell ${cells.indexOf(cell) + 1} of ${cells.length}: ${doing}`);
          const record = await runCell({ ...experiment, report: telling }, sessions, control, cell);
          records.set(cellKey(cell), record);
          if (out !== null) await keep(out, record);
        }
      } finally {
        await sessions.close();
      }
    }
  } finally {
    await control.close();
  }
  return cells.map((cell) => records.get(cellKey(cell))!);
}

const cellKey = ({ setting, layer, coalition }: Cell): string => JSON.stringify([setting, layer, coalition]);

/** Adds a record to `out`. Throws Error naming the file where it can't be written. */
async function keep(out: string, record: CellRecord): Promise<void> {
  try {
    await mkdir(path.dirname(out), { recursive: true });
    await appendFile(out, `${JSON.stringify(record)}\n`);
  } catch (error) {
    throw fileError(`out ${out}`, "a file that can be written", error);
  }
}

/** Finished cells of this config. A void cell is run again; a line that was cut is left out. */
async function readFinished(out: string, hash: string): Promise<Map<string, CellRecord>> {
  let text: string;
  try {
    text = await readFile(out, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw fileError(`out ${out}`, "a file that can be read and written", error);
  }
  const finished = new Map<string, CellRecord>();
  for (const line of text.split("\n")) {
    const parsed = cellRecord.safeParse(parsedLine(line));
    if (parsed.success && parsed.data.configHash === hash && parsed.data.void === null)
      finished.set(cellKey(parsed.data.cell), parsed.data);
  }
  return finished;
}

function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
