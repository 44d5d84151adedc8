/** Sessions that must not begin: each is refused by the name of what differs, and the nodes stay usable. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import { openModel } from "../../../layers/model.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { CLIENT } from "../../../protocols/cascade/party-name.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import type { Deployment } from "../../../protocols/fusion/deployment/deployment.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { linkClient } from "../../../protocols/fusion/deployment/local-processes.ts";
import { Node } from "../../../protocols/fusion/node/node.ts";
import { SESSION_CONTROL } from "../../../protocols/fusion/session/session-control.ts";
import {
  descriptionHashes,
  SESSION_VERSION,
  type SessionDescription,
} from "../../../protocols/fusion/session/session-description.ts";
import { deploymentDescription } from "../../../protocols/fusion/deployment/topology.ts";
import type { ControlMessage, Endpoint } from "../../../protocols/wire/endpoint.ts";
import { HandshakeError } from "../../../protocols/wire/errors.ts";
import { createEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import { WebSocketTransport } from "../../../protocols/wire/websocket-transport.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { describeSession } from "../cascade/whole-model.ts";
import { nextAbort } from "./next-abort.ts";

const MODEL = randomModel({
  seed: 10,
  layers: 1,
  kvHeads: 1,
  group: 1,
  headDim: 2,
});
const TWO: ShardingRule = { rule: "round-robin", parts: 2 };
const IDS = randomIds(6, 5);
const GOOD = describeSession(MODEL, { r: TWO, s: TWO }, IDS.length, { wire: "float64" });

describe("a node refuses", () => {
  /** name, what differs from a good description, who refuses and why */
  const refused: readonly [string, Partial<SessionDescription>, RegExp][] = [
    [
      "the fingerprint of another model",
      { model: "another" },
      /^(comp|attn)[.\d]+: model: expected fingerprint random .* \(mine\), got another; both sides must load the same weights$/,
    ],
    [
      "views where it has no folder",
      { views: true },
      /^(comp|attn)[.\d]+: views: expected a node that was started with a views folder, got one without; start it with --views FOLDER$/,
    ],
  ];
  for (const [name, change, reason] of refused) {
    it(name, async () => {
      const { client, close } = await started();
      await assert.rejects(client.open({ ...GOOD, ...change }), { message: reason });
      await works(client);
      await close();
    });
  }

  it("the number of a session that is open, and of one that was", async () => {
    const { client, deployment, close } = await started();
    const session = await client.open(GOOD);
    const number = session.number;
    const again = { type: "session-open", session: number, description: GOOD };
    await deployment.client.sendControl("comp.1", again);
    await assert.rejects(session.step(0, IDS), {
      message: `comp.1: session ${number}: expected a new number, got one that is open`,
    });
    await session.abort("it can't go on");
    const answer = nextAbort(deployment.client, number);
    await deployment.client.sendControl("attn.0.1", again);
    assert.match(
      await answer,
      new RegExp(`^attn\\.0\\.1: session ${number}: expected an open session, got a closed one`),
    );
    await works(client);
    await close();
  });
});

describe("a client refuses", () => {
  /** name, what differs from a good description, why */
  const refused: readonly [string, Partial<SessionDescription>, RegExp][] = [
    [
      "another version of sessions",
      { version: (SESSION_VERSION - 1) as typeof SESSION_VERSION },
      /session-open.*description\.version/,
    ],
    ["more tokens than the context", { promptLength: 300 }, /^session: expected at most 256 positions .*, got 300$/],
    [
      "shardings that the nodes weren't started for",
      { r: { rule: "round-robin", parts: 3 } },
      /^shardings: expected those that the 6 nodes stand for, got alpha 3 and beta 2, which need 7$/,
    ],
  ];
  for (const [name, change, reason] of refused) {
    it(name, async () => {
      const { client, close } = await started();
      await assert.rejects(client.open({ ...GOOD, ...change }), { message: reason });
      await works(client);
      await close();
    });
  }

  it("a node that holds another description", async () => {
    const hashes = { ...descriptionHashes({ ...GOOD, maxNewTokens: 9 }), more: "0" };
    const { client, close } = await started((endpoint) =>
      endpoint.party === "comp.1" ? answering(endpoint, (message) => ({ ...message, hashes })) : endpoint,
    );
    await assert.rejects(client.open(GOOD), {
      message: "comp.1: expected the session description that was sent, got another in maxNewTokens, more",
    });
    await close();
  });

  it("no description for the order of its keys", async () => {
    const { client, close } = await started();
    const reversed = Object.fromEntries(Object.entries(GOOD).reverse()) as SessionDescription;
    await works(client, { ...reversed, r: { parts: 2, rule: "round-robin" } });
    await close();
  });
});

describe("a link is refused", () => {
  it("between a client and nodes of another model, shape or version of sessions; the right one then gets through", async () => {
    const model = await openModel(path.resolve(import.meta.dirname, "../../fixtures/models/llama-gqa"));
    const parties = ["comp.0", "attn.0.0"];
    const shape = { alpha: 1, beta: 1 };
    const common = { ...shape, model, listen: "ws://127.0.0.1:0", viewsFolder: null, threads: 1, head: false };
    const nodes = await Promise.all(parties.map((party) => Node.start({ ...common, party })));
    const addresses = Object.fromEntries(nodes.map(({ endpoint }) => [endpoint.party, endpoint.address!]));
    await Promise.all(nodes.map((node) => node.join(addresses)));
    const good = deploymentDescription(1, 1);
    const wrong: readonly [string, Record<string, number>, RegExp][] = [
      ["another", good, /handshake of client with (comp\.0|attn\.0\.0): model: expected another, got /],
      [model.fingerprint, { ...good, alpha: 2 }, /description alpha: expected 2, got 1/],
      [
        model.fingerprint,
        { ...good, sessionVersion: 2 },
        new RegExp(`description sessionVersion: expected 2, got ${SESSION_VERSION}$`),
      ],
    ];
    for (const [fingerprint, description, reason] of wrong) {
      const client = await createEndpoint({
        party: CLIENT,
        transport: new WebSocketTransport(),
        peers: Object.fromEntries(parties.map((party) => [party, "dial"])),
        model: fingerprint,
        description,
        controls: SESSION_CONTROL,
      });
      await assert.rejects(
        client.connect(addresses),
        (error) => error instanceof HandshakeError && reason.test(error.message),
      );
      await client.close();
    }
    const endpoint = await linkClient({ ...shape, fingerprint: model.fingerprint }, addresses);
    const one: ShardingRule = { rule: "round-robin", parts: 1 };
    await works(new Client(endpoint, model, parties), describeSession(model, { r: one, s: one }, IDS.length));
    await endpoint.close();
    await Promise.all(nodes.map((node) => node.close()));
    await model.close();
  });
});

// Helpers

/** Two CompNodes and four AttnNodes in memory. */
async function started(
  wrap?: (endpoint: Endpoint) => Endpoint,
): Promise<{ client: Client; deployment: Deployment; close: () => Promise<void> }> {
  const engine = await referenceEngine(MODEL);
  const deployment = await inProcessDeployment(MODEL, engine, { alpha: 2, beta: 2 }, { wrap });
  return {
    client: new Client(deployment.client, MODEL, deployment.nodes),
    deployment,
    close: () => deployment.close(),
  };
}

/** A session from its opening to its end. */
async function works(client: Client, description: SessionDescription = GOOD): Promise<void> {
  const session = await client.open(description);
  const result = await session.step(0, IDS);
  assert.ok("rows" in result && result.rows.data.every(Number.isFinite));
  assert.equal((await session.close()).length, session.schedule.alpha + session.schedule.beta ** 2);
}

/** The same endpoint, but for what it says when it is ready for a session. */
function answering(endpoint: Endpoint, change: (message: ControlMessage) => ControlMessage): Endpoint {
  return new Proxy(endpoint, {
    get(target, name) {
      if (name === "sendControl")
        return (peer: string, message: ControlMessage) =>
          target.sendControl(peer, message.type === "session-ready" ? change(message) : message);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
