/**
 * One solve in a thread of its own: HiGHS in WebAssembly blocks its thread and keeps what memory it ever took, so every program gets a
 * fresh one, which the parent can end. Started by solve.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import loadHighs from "highs";

const { program, timeLimitS, options } = workerData;
const highs = await loadHighs();
const { rows, columns } = program;
const model = highs.createModel({
  numCols: columns,
  numRows: rows,
  colCost: program.cost,
  colLower: program.lower,
  colUpper: program.upper,
  rowLower: program.rowLower,
  rowUpper: program.rowUpper,
  matrix: {
    format: "csc",
    numRows: rows,
    numCols: columns,
    starts: program.starts,
    indices: program.indices,
    values: program.values,
  },
  ...(program.integer === null ? {} : { integrality: program.integer }),
});
model.options.set({ output_flag: false, time_limit: timeLimitS, random_seed: 1, ...options });
const startedAt = performance.now();
model.run();
const code = model.getModelStatus();
const [status] = Object.entries(highs.constants.modelStatus).find(([, value]) => value === code);
const solved = model.info.get("primal_solution_status") === highs.constants.solutionStatus.feasible;
const isMip = program.integer !== null;
const answer = {
  status,
  seconds: (performance.now() - startedAt) / 1000,
  objective: solved ? model.getObjectiveValue() : null,
  bound: isMip ? model.info.get("mip_dual_bound") : null,
  nodes: isMip ? Number(model.info.get("mip_node_count")) : null,
  iterations: model.info.get("simplex_iteration_count"),
  memoryBytes: highs.memoryBytes,
  values: solved ? model.getSolution().colValue : null,
};
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort.postMessage(answer);
