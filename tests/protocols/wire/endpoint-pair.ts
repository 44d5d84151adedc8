import { afterEach } from "node:test";
import type { MessageKey, WireTensor } from "../../../protocols/wire/endpoint.ts";
import type { EndpointOptions } from "../../../protocols/wire/endpoint-options.ts";
import { createEndpoint, type PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import type { TransportSetup } from "./transport-setup.ts";

/** A message key: q of layer 0, step 0, session 1, but for the changes. */
export const key = (changes: Partial<MessageKey> = {}): MessageKey => ({
  session: 1,
  layer: 0,
  step: 0,
  role: "q",
  ...changes,
});
/** A float32 tensor of one row. */
export const floats = (...values: number[]): WireTensor => ({
  data: Float32Array.from(values),
  shape: [1, values.length],
});
/** Expects one row of so many columns. */
export const row = (columns: number, word: "float" | "int32" = "float") => ({ shape: [1, columns], word }) as const;

type Options = Partial<EndpointOptions>;
type Pair = [a: PartyEndpoint, b: PartyEndpoint];

export interface EndpointPair {
  openEndpoint: (options: EndpointOptions) => Promise<PartyEndpoint>;
  /** "a" listens, "b" dials; both with `common` and their own options, not connected yet. */
  twoEndpoints: (common?: Options, own?: { a?: Options; b?: Options }) => Promise<Pair>;
  /** The same, linked. */
  pair: (common?: Options) => Promise<Pair>;
}

/** Opens endpoints on a transport for one suite, and closes them after each of its tests. */
export function endpointPair(setup: TransportSetup): EndpointPair {
  const opened: PartyEndpoint[] = [];

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
  });

  async function openEndpoint(options: EndpointOptions): Promise<PartyEndpoint> {
    const endpoint = await createEndpoint(options);
    opened.push(endpoint);
    return endpoint;
  }

  async function twoEndpoints(common: Options = {}, own: { a?: Options; b?: Options } = {}): Promise<Pair> {
    const transport = setup.transport(common.limits ?? {});
    const listen = setup.listenAddress();
    const a = await openEndpoint({ transport, party: "a", peers: { b: "accept" }, listen, ...common, ...own.a });
    const b = await openEndpoint({ transport, party: "b", peers: { a: "dial" }, ...common, ...own.b });
    return [a, b];
  }

  async function pair(common: Options = {}): Promise<Pair> {
    const [a, b] = await twoEndpoints(common);
    await Promise.all([a.connect(), b.connect({ a: a.address as string })]);
    return [a, b];
  }

  return { openEndpoint, twoEndpoints, pair };
}
