import path from "node:path";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { CLIENT } from "../../cascade/party-name.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { loopbackNetwork } from "../../wire/loopback-network.ts";
import { memoryNetwork } from "../../wire/memory-network.ts";
import type { WireLimits } from "../../wire/limits.ts";
import { linkDirection, namesOf, type Deployment, type DeploymentShape } from "./deployment.ts";
import { PartyHost, type HostedModel } from "../node/party-host.ts";
import type { SmpcPhases } from "../node/smpc-phases.ts";
import { SESSION_CONTROL } from "../session/session-control.ts";
import { deploymentDescription } from "./topology.ts";

export interface InProcessOptions {
  /** Links over loopback WebSockets instead of memory. */
  readonly sockets?: boolean;
  readonly viewsFolder?: string | null;
  /** SMPC parties keep batches of correlations in a folder each in it. */
  readonly correlationsFolder?: string | null;
  readonly limits?: Partial<WireLimits>;
  /** Times the SMPC parties, by name. */
  readonly phases?: (party: string) => SmpcPhases;
  /** Puts something between a party and its endpoint: a test that reorders messages, a party that misbehaves. */
  readonly wrap?: (endpoint: Endpoint) => Endpoint;
}

/** All parties in this process, on one engine (null: SMPC parties alone). Closing the deployment leaves the engine open. */
export async function inProcessDeployment(
  model: HostedModel,
  engine: StageEngine | null,
  shape: DeploymentShape,
  options: InProcessOptions = {},
): Promise<Deployment> {
  const nodes = namesOf(shape);
  const names = [CLIENT, ...nodes];
  const { viewsFolder = null, correlationsFolder: folder = null, phases } = options;
  const hosts = new Map(
    nodes.map((name) => {
      const correlationsFolder = folder === null ? null : path.join(folder, name);
      return [name, new PartyHost(name, model, engine, { viewsFolder, correlationsFolder, phases: phases?.(name) })];
    }),
  );
  const network = {
    model: model.fingerprint,
    description: deploymentDescription(shape.alpha, shape.beta, shape.parties, shape.dealer, shape.attnLinks),
    controls: SESSION_CONTROL,
    limits: options.limits,
    onTensorReceived: (party: string) => hosts.get(party)?.observe,
    dials: (a: string, b: string) => linkDirection(a, b, shape) === "dial",
  };
  const endpoints = options.sockets
    ? await loopbackNetwork(names, { ...network, linked: (a, b) => linkDirection(a, b, shape) !== null })
    : memoryNetwork(names, network);
  const wrap = options.wrap ?? ((endpoint: Endpoint) => endpoint);
  for (const [name, host] of hosts) host.serve(wrap(endpoints.get(name)!));
  return {
    client: wrap(endpoints.get(CLIENT)!),
    nodes,
    async close() {
      await Promise.all([...hosts.values()].map((host) => host.close()));
      await Promise.all([...endpoints.values()].map((endpoint) => endpoint.close()));
    },
  };
}
