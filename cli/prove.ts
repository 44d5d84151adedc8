import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { z } from "zod";
import { addFlags, readFlags } from "./flags.ts";
import { proofRecord, type ProofRecord } from "./prove-record.ts";
import { progress } from "./progress.ts";
import { coloursFor } from "./terminal.ts";

/** Nothing imports the proofs; they are started. */
const PROVER = fileURLToPath(new URL("../proofs/prove.ts", import.meta.url));

const plansLine = proofRecord.pick({ plans: true, plansLeftOut: true });

const flags = z.object({
  json: z.boolean().default(false).describe("print one JSON object (weir schema prove) and nothing else"),
});

/** `weir prove`: do the lemmas hold, and do the statements that must not hold fail? */
export function addProve(program: Command): void {
  const command = program
    .command("prove")
    .description(
      "Prove the lemmas of the SMPC gates for every width (z3), refute what must not hold, and count the secrecy of tiny plans over all randomness; exit 1 if one isn't as it must be.",
    )
    .argument("[lemmas...]", "beginnings of the names of lemmas (default: all)");
  addFlags(command, flags).action(async (names: string[], given: Record<string, unknown>) => {
    const { json } = readFlags(flags, given);
    const report = progress(json);
    const start = performance.now();
    report.step("proving");
    const { ok, ...proved } = await proveEach(names, (lemma) => {
      if (json) return;
      report.clear();
      process.stdout.write(`${lineOf(lemma)}\n`);
    }).finally(report.clear);
    const record: ProofRecord = { ok, seconds: (performance.now() - start) / 1000, ...proved };
    if (json) process.stdout.write(`${JSON.stringify(proofRecord.parse(record))}\n`);
    else {
      for (const plan of record.plansLeftOut) process.stdout.write(`no plan: ${plan}\n`);
      process.stdout.write(`${record.ok ? "all" : "NOT all"} as it must be, ${record.seconds.toFixed(1)} s\n`);
    }
    if (!record.ok) process.exitCode = 1;
  });
}

/** Runs the proofs and calls `onLemma` as each is done. Throws Error with what they print if they end before the last. */
async function proveEach(
  names: readonly string[],
  onLemma: (lemma: ProofRecord["lemmas"][number]) => void,
): Promise<Omit<ProofRecord, "seconds">> {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), PROVER, ...names], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code));
  });
  let inUse: z.infer<typeof plansLine> = { plans: [], plansLeftOut: [] };
  const lemmas: ProofRecord["lemmas"] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const said: unknown = JSON.parse(line);
      const plans = plansLine.safeParse(said);
      if (plans.success) {
        inUse = plans.data;
        continue;
      }
      const lemma = proofRecord.shape.lemmas.element.parse(said);
      lemmas.push(lemma);
      onLemma(lemma);
    }
    const ok = lemmas.length > 0 && lemmas.every((lemma) => lemma.ok);
    if ((await ended) !== (ok ? 0 : 1) || errors !== "")
      throw new Error(`prove: ${errors.trim() || "expected an end after the last lemma, got an end before it"}`);
    return { ok, ...inUse, lemmas };
  } finally {
    child.kill();
  }
}

function lineOf({
  name,
  widths,
  expected,
  verdict,
  ok,
  cases,
  seconds,
  failure,
}: ProofRecord["lemmas"][number]): string {
  const said = (ok ? (expected === "refuted" ? "refuted, as it must be" : "proved") : `RED, ${verdict}`).padEnd(22);
  const { red } = coloursFor(process.stdout);
  const why = failure === null ? "" : `\n  ${failure}`;
  return `${ok ? said : red(said)}  ${name} (${widths}): ${cases} cases, ${seconds.toFixed(1)} s${why}`;
}
