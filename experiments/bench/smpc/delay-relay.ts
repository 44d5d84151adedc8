/**
 * A link with a delay and a bandwidth between two sockets of this machine, for kernels without netem: what it takes in leaves in order,
 * `delayMs` after its last bit fits through the line.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export interface DelayedLine {
  /** Each way. */
  readonly delayMs: number;
  readonly megabitsPerSecond: number;
}

/** A relay in front of one listener. */
export interface DelayRelay {
  /** ws:// address at which the listener is found behind the line. */
  readonly address: string;
  close(): Promise<void>;
}

/** Starts a relay to the listener at `address` (ws://HOST:PORT). Throws TypeError for another kind of address. */
export async function delayRelay(address: string, line: DelayedLine): Promise<DelayRelay> {
  const { hostname, port, protocol } = new URL(address);
  if (protocol !== "ws:") throw new TypeError(`relay: expected a ws:// address, got ${address}`);
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      open.add(from.setNoDelay(true));
      oneWay(from, to, line);
      from.on("error", () => to.destroy());
      from.on("close", () => open.delete(from));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    address: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Bytes of one direction, each chunk held until it would have arrived. */
function oneWay(from: Socket, to: Socket, { delayMs, megabitsPerSecond }: DelayedLine): void {
  const waiting: { readonly arrivesMs: number; readonly data: Buffer | null }[] = [];
  let lineFreeMs = 0;
  let timer: NodeJS.Timeout | null = null;
  let isPolling = false;
  const deliver = (): void => {
    timer = null;
    isPolling = false;
    while (waiting.length > 0 && waiting[0].arrivesMs <= performance.now()) {
      const { data } = waiting.shift()!;
      if (data === null) to.end();
      else to.write(data);
    }
    schedule();
  };
  const schedule = (): void => {
    if (waiting.length === 0 || timer !== null || isPolling) return;
    // Timers have whole milliseconds and are late; the last one is waited for by turning the loop.
    const leftMs = waiting[0].arrivesMs - performance.now();
    if (leftMs > 2) timer = setTimeout(deliver, leftMs - 1.5);
    else {
      isPolling = true;
      setImmediate(deliver);
    }
  };
  const take = (data: Buffer | null): void => {
    const now = performance.now();
    lineFreeMs = Math.max(now, lineFreeMs) + ((data?.length ?? 0) * 8) / (megabitsPerSecond * 1000);
    waiting.push({ arrivesMs: lineFreeMs + delayMs, data });
    schedule();
  };
  from.on("data", take);
  from.on("end", () => take(null));
}
