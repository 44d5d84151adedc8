/** From a run config to parties that stand ready. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { warn } from "../../../layers/warning.ts";
import { openModel, type Model } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { shardingFrom } from "../../cascade/sharding.ts";
import { Client } from "../client/client.ts";
import { inProcessDeployment } from "./in-process-deployment.ts";
import { namesOf, type Deployment, type DeploymentShape } from "./deployment.ts";
import { startLocalProcesses } from "./local-processes.ts";
import { joinTopology } from "./remote-deployment.ts";
import { shardingsOf, placementText, type RunConfig } from "../config/run-config.ts";
import { isDelegated } from "../../smpc/lowering/evaluators.ts";
import { layersOnShares, type LayersOnShares } from "../session/layer-placement.ts";

/** The model that runs where none is named. */
export const DEFAULT_MODEL = fileURLToPath(new URL("../../../models/default", import.meta.url));

export interface OpenedDeployment {
  readonly model: Model;
  /** Absolute. */
  readonly modelPath: string;
  readonly deployment: Deployment;
  /** Opens sessions on the nodes. */
  readonly client: Client;
  readonly shape: { readonly alpha: number; readonly beta: number };
  /** Layers under SMPC, ascending. */
  readonly onShares: LayersOnShares;
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
    model.notes.forEach(warn);
    const onShares = layersOnShares(placementText(config), model.spec.layers);
    const smpcLayers = onShares.layers;
    if (config.insecureUncheckedAnswers && onShares.evaluators.some(isDelegated))
      warn(
        // test: tests/protocols/fusion/caught-servers.test.ts
        "answers of SMPC parties are not checked: one that computes wrong or cheats is not noticed (insecureUncheckedAnswers)",
      );
    await check(model, modelPath);
    const whole = smpcShape(config, shape, smpcLayers, model.spec.layers);
    report(
      config.topology === undefined
        ? `starting ${namesOf(whole).length} parties`
        : "linking to the parties, which run already",
    );
    const { deployment, engine } = await openParties(
      { config, model, modelPath, shape: whole, smpcLayers, report },
      closers,
    );
    closers.push(() => deployment.close());
    const head = config.head === "compnode" || engine === null ? null : engine;
    const client = new Client(deployment.client, model, deployment.nodes, {
      embedding: smpcLayers[0] === 0 ? engine : null,
      insecureUncheckedAnswers: config.insecureUncheckedAnswers,
    });
    return { model, modelPath, deployment, client, shape, onShares, head, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The nodes that a run starts: SMPC parties where layers are theirs, and no Cascade nodes where all layers are. */
function smpcShape(
  config: RunConfig,
  { alpha, beta }: { readonly alpha: number; readonly beta: number },
  smpcLayers: readonly number[],
  layers: number,
): DeploymentShape {
  const attnLinks = config.merge === "masked";
  if (smpcLayers.length === 0) return { alpha, beta, attnLinks };
  const secret = { parties: config.parties, dealer: config.dealer === "dealer" };
  return smpcLayers.length === layers && config.head !== "compnode"
    ? { alpha: 0, beta: 0, ...secret }
    : { alpha, beta, attnLinks, ...secret };
}

interface PartiesToOpen {
  readonly config: RunConfig;
  readonly model: Model;
  readonly modelPath: string;
  readonly shape: DeploymentShape;
  readonly smpcLayers: readonly number[];
  readonly report: (doing: string) => void;
}

/** The parties, and the client's own engine; null where the client computes nothing but samples. */
async function openParties(
  { config, model, modelPath, shape, smpcLayers, report }: PartiesToOpen,
  closers: (() => Promise<void>)[],
): Promise<{ deployment: Deployment; engine: StageEngine | null }> {
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
    return { deployment, engine };
  }
  const starting =
    config.topology === undefined
      ? startLocalProcesses({
          ...shape,
          model: modelPath,
          fingerprint: model.fingerprint,
          viewsFolder,
          head: config.head === "compnode",
          report,
        })
      : joinTopology(config, shape, model.fingerprint, report);
  starting.catch(() => {}); // awaited below
  const stages = [
    ...(smpcLayers[0] === 0 ? (["embed"] as const) : []),
    ...(config.head === "client" ? (["head"] as const) : []),
  ];
  if (stages.length === 0) return { deployment: await starting, engine: null };
  const engine = keep(await onnxEngine(model, { threads: 1, stages }));
  return { deployment: await starting, engine };
}
