/** From a run config to parties that stand ready. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { openModel, type Model } from "../../layers/model.ts";
import { onnxEngine } from "../../layers/onnx/engine.ts";
import type { StageEngine } from "../../layers/stage-engine.ts";
import { shardingFrom } from "../cascade/sharding.ts";
import { inProcessDeployment } from "./in-process-deployment.ts";
import type { Deployment } from "./deployment.ts";
import { startLocalProcesses } from "./local-processes.ts";
import { joinTopology } from "./remote-deployment.ts";
import { shardingsOf, type RunConfig } from "./run-config.ts";

/** The model that runs where none is named. */
export const DEFAULT_MODEL = fileURLToPath(new URL("../../models/default", import.meta.url));

export interface OpenedDeployment {
  readonly model: Model;
  /** Absolute. */
  readonly modelPath: string;
  readonly deployment: Deployment;
  readonly shape: { readonly alpha: number; readonly beta: number };
  /** The LM head at the client; null where the CompNodes have it. */
  readonly head: StageEngine | null;
  close(): Promise<void>;
}

/**
 * Opens the model and starts or joins the parties; what was opened is closed again where a step fails. `check` sees the model before
 * any party is started: what can be refused is refused there.
 */
export async function openDeployment(
  config: RunConfig,
  report: (doing: string) => void,
  check: (model: Model, modelPath: string) => void | Promise<void> = () => {},
): Promise<OpenedDeployment> {
  const shardings = shardingsOf(config);
  const shape = { alpha: shardingFrom(shardings.r).parts, beta: shardingFrom(shardings.s).parts };
  const modelPath = path.resolve(config.model ?? DEFAULT_MODEL);
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    report("opening the model");
    const model = await openModel(modelPath);
    closers.push(() => model.close());
    await check(model, modelPath);
    const nodeCount = shape.alpha + shape.beta ** 2;
    report(config.place === "processes" ? `starting ${nodeCount} node processes` : `starting ${nodeCount} nodes`);
    const { deployment, head } = await openParties(config, model, modelPath, shape, closers);
    closers.push(() => deployment.close());
    return { model, modelPath, deployment, shape, head, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openParties(
  config: RunConfig,
  model: Model,
  modelPath: string,
  shape: { alpha: number; beta: number },
  closers: (() => Promise<void>)[],
): Promise<{ deployment: Deployment; head: StageEngine | null }> {
  const viewsFolder = config.views === undefined ? null : path.resolve(config.views);
  const keep = (engine: StageEngine): StageEngine => {
    closers.push(() => engine.close());
    return engine;
  };
  if (config.topology === undefined && config.place !== "processes") {
    const engine = keep(await onnxEngine(model, { threads: 1 }));
    const deployment = await inProcessDeployment(model, engine, shape, {
      sockets: config.place === "sockets",
      viewsFolder,
    });
    return { deployment, head: engine };
  }
  const starting =
    config.topology === undefined
      ? startLocalProcesses({
          ...shape,
          model: modelPath,
          fingerprint: model.fingerprint,
          viewsFolder,
          head: config.head === "compnode",
        })
      : joinTopology(config, shape, model.fingerprint);
  starting.catch(() => {}); // awaited below
  if (config.head === "compnode") return { deployment: await starting, head: null };
  const head = keep(await onnxEngine(model, { threads: 1, stages: ["head"] }));
  return { deployment: await starting, head };
}
