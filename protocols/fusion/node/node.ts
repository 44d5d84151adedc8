/** A node that runs: its engine, its endpoint and its host, from the start of the process to its end. */
import type { Model } from "../../../layers/model.ts";
import { attentionEngine, onnxEngine } from "../../../layers/onnx/engine.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { CLIENT, partyKind } from "../../cascade/party-name.ts";
import type { EndpointOptions } from "../../wire/endpoint-options.ts";
import { createEndpoint, type PartyEndpoint } from "../../wire/party-endpoint.ts";
import type { WireLimits } from "../../wire/limits.ts";
import { WebSocketTransport, type Certificates } from "../../wire/websocket-transport.ts";
import { linkDirection, namesOf, type DeploymentShape } from "../deployment/deployment.ts";
import { PartyHost, type HostedModel } from "./party-host.ts";
import type { SmpcPhases } from "./smpc-phases.ts";
import { SESSION_CONTROL } from "../session/session-control.ts";
import { checkNodeName, deploymentDescription } from "../deployment/topology.ts";

/** What a node needs whatever it computes with. */
export interface HostedNodeOptions extends DeploymentShape {
  readonly party: string;
  readonly model: HostedModel;
  /** Where to accept links; port 0 takes a free one. */
  readonly listen: string;
  /** Folder for recorded views; null: sessions that ask for views are refused. */
  readonly viewsFolder: string | null;
  /** Folder of this party's own for batches of correlations, so that none is used twice after a restart either; absent: in memory. */
  readonly correlationsFolder?: string | null;
  readonly certificates?: Certificates;
  readonly insecurePlaintext?: boolean;
  readonly limits?: Partial<WireLimits>;
  /** Told of links that are made, lost and refused. */
  readonly onLinkChange?: EndpointOptions["onLinkChange"];
  /** Times an SMPC party. */
  readonly phases?: SmpcPhases;
}

export interface NodeOptions extends HostedNodeOptions {
  readonly model: Model;
  /** Threads of each computation. */
  readonly threads: number;
  /** The LM head is opened here too (a CompNode that turns rows into tokens). */
  readonly head: boolean;
}

export class Node {
  readonly endpoint: PartyEndpoint;
  readonly #options: HostedNodeOptions;
  readonly #host: PartyHost;
  readonly #engine: StageEngine | null;

  private constructor(
    endpoint: PartyEndpoint,
    options: HostedNodeOptions,
    host: PartyHost,
    engine: StageEngine | null,
  ) {
    this.endpoint = endpoint;
    this.#options = options;
    this.#host = host;
    this.#engine = engine;
  }

  /** Opens the engine and listens. Throws ListenError, AddressError, ModelFileError. */
  static async start(options: NodeOptions): Promise<Node> {
    const { party, alpha, beta, parties, dealer } = options;
    checkNodeName(party, alpha, beta, parties, dealer);
    return Node.host(options, await nodeEngine(options));
  }

  /** Listens on an engine that the node closes when it ends; null: an SMPC party or a dealer. Throws ListenError, AddressError. */
  static async host(options: HostedNodeOptions, engine: StageEngine | null): Promise<Node> {
    const { party, alpha, beta, parties, dealer, attnLinks, model } = options;
    const host = new PartyHost(party, model, engine, {
      viewsFolder: options.viewsFolder,
      correlationsFolder: options.correlationsFolder ?? null,
      phases: options.phases,
    });
    const peers = [CLIENT, ...namesOf(options)].flatMap((peer) => {
      const direction = linkDirection(party, peer, options);
      return direction === null ? [] : [[peer, direction] as const];
    });
    const endpoint = await createEndpoint({
      party,
      transport: new WebSocketTransport(options),
      peers: Object.fromEntries(peers),
      transient: [CLIENT],
      relinks: true,
      onLinkChange: options.onLinkChange,
      listen: options.listen,
      model: model.fingerprint,
      description: deploymentDescription(alpha, beta, parties, dealer, attnLinks),
      controls: SESSION_CONTROL,
      limits: options.limits,
      onTensorReceived: host.observe,
    });
    return new Node(endpoint, options, host, engine);
  }

  /** Links to the other parties at their addresses and then answers the client. */
  async join(addresses: Readonly<Record<string, string>>): Promise<void> {
    const dialled = Object.entries(addresses).filter(
      ([peer]) => linkDirection(this.#options.party, peer, this.#options) === "dial",
    );
    this.#host.serve(this.endpoint);
    await this.endpoint.connect(Object.fromEntries(dialled));
  }

  /** Rejects with the reason when this node ends: its first links could not be made. A link that is lost later comes back. */
  failed(): Promise<never> {
    return new Promise((_resolve, reject) => this.endpoint.onFailure(reject));
  }

  async close(): Promise<void> {
    await this.#host.close();
    await this.endpoint.close();
    await this.#engine?.close();
  }
}

/** An AttnNode needs no weights; a CompNode needs no attention; SMPC parties and the dealer have plans in its place. */
async function nodeEngine({ party, model, threads, head }: NodeOptions): Promise<StageEngine | null> {
  const kind = partyKind(party);
  if (kind === "smpc" || kind === "dealer") return null;
  if (kind === "attn") return attentionEngine(model, { threads });
  return onnxEngine(model, { threads, stages: head ? ["embed", "pre", "post", "head"] : ["embed", "pre", "post"] });
}
