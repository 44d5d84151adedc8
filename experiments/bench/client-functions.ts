/**
 * CPU microseconds of what a client evaluates in delegated layers, by the kind of numbers: does its time depend on what it must not tell?
 *
 * npx tsx experiments/bench/client-functions.ts
 */
import { ACTIVATE } from "../../layers/reference/algebra.ts";
import { attendRows } from "../../protocols/smpc/evaluation/attend-rows.ts";

/** Numbers of an activation, and keys of an attention. */
const [NUMBERS, KEYS] = [4096, 256];
const [HEADS, HEAD_DIM] = [4, 32];
/** The median of so many times counts, each of several calls, after as many that warm up. */
const [TIMES, CALLS] = [200, 5];

const KINDS: Readonly<Record<string, (at: number) => number>> = {
  zero: () => 0,
  usual: (at) => 2 * Math.sin(12.9898 * at),
  "far below": () => -50,
  "far above": () => 50,
  denormal: () => 1e-310,
};

/** By how much the other keys' logits lie below the first one's: from 708 on their weights are denormal, from 746 on zero. */
const BELOW = [1, 100, 720, 800];

function cpuMicroseconds(work: () => void): number {
  const once = (): number => {
    const before = process.cpuUsage();
    for (let call = 0; call < CALLS; call++) work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / CALLS;
  };
  for (let time = 0; time < TIMES; time++) once();
  const all = Array.from({ length: TIMES }, once).sort((a, b) => a - b);
  return all[Math.floor(TIMES / 2)];
}

function attention(below: number): () => void {
  const spec = { heads: HEADS, kvHeads: HEADS, headDim: HEAD_DIM, scale: 1, softCap: null, causal: true, window: null };
  const width = HEADS * HEAD_DIM;
  const q = Float64Array.from({ length: width }, (_, at) => (at % HEAD_DIM === 0 ? 1 : 0));
  const k = Float64Array.from({ length: KEYS * width }, (_, at) => (at >= width && at % HEAD_DIM === 0 ? -below : 0));
  const v = Float64Array.from({ length: KEYS * width }, (_, at) => Math.sin(at));
  return () => attendRows(spec, { q, k, v, firstQuery: KEYS - 1, firstKey: 0 });
}

for (const name of ["silu", "gelu"] as const)
  for (const [numbers, of] of Object.entries(KINDS)) {
    const x = Float64Array.from({ length: NUMBERS }, (_, at) => of(at));
    const out = new Float64Array(NUMBERS);
    const activate = ACTIVATE[name];
    const microseconds = cpuMicroseconds(() => {
      for (let at = 0; at < NUMBERS; at++) out[at] = activate(x[at]);
    });
    process.stdout.write(`${JSON.stringify({ function: name, numbers, microseconds })}\n`);
  }
for (const below of BELOW)
  process.stdout.write(
    `${JSON.stringify({ function: "attention", numbers: `${below} below`, microseconds: cpuMicroseconds(attention(below)) })}\n`,
  );
