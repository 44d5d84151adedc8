import { reportFailure } from "./failure.ts";
import { addAttack } from "./attack.ts";
import { addBench } from "./bench.ts";
import { addCommonFlags, commandLine } from "./command-line.ts";
import { addCalibrate } from "./calibrate.ts";
import { addCompletion } from "./completion.ts";
import { addPlan } from "./plan.ts";
import { addNode } from "./node.ts";
import { addProve } from "./prove.ts";
import { addReport } from "./report.ts";
import { addRun } from "./run.ts";
import { addSchema } from "./schema.ts";
import { addUp } from "./up.ts";
import { addVerify } from "./verify.ts";
import { addTopology } from "./topology.ts";

const program = commandLine();

addRun(program);
addVerify(program);
addBench(program);
addCalibrate(program);
addPlan(program);
addNode(program);
addUp(program);
addTopology(program);
addAttack(program);
addReport(program);
addProve(program);
addSchema(program);
addCompletion(program);
addCommonFlags(program);

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error);
}
