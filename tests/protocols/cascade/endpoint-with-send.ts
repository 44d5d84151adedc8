import type { Endpoint } from "../../../protocols/wire/endpoint.ts";

/** The same endpoint, but for how tensors are sent: a party that delays, reorders or leaks. */
export function withSend(endpoint: Endpoint, send: Endpoint["send"]): Endpoint {
  return new Proxy(endpoint, {
    get(target, name) {
      if (name === "send") return send;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
