/**
 * CPU microseconds per tensor message, send and receive together, both ends in this process:
 *
 *     node --import tsx tests/protocols/wire/wire-benchmark.ts
 *
 * Messages go both ways, one in each direction at a time over `LINKS` links, as in an attention pass; the kinds of link are
 * interleaved and the median of the rounds is printed. Not a test: no figure here is asserted.
 */
import { loopbackNetwork } from "../../../protocols/wire/loopback-network.ts";
import { memoryNetwork } from "../../../protocols/wire/memory-network.ts";
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";

const LINKS = 8;
const ROUNDS = 7;
const BYTES_PER_ROUND = 48 * 1024 * 1024;

type Network = Map<string, PartyEndpoint>;
const hub = "hub";
const spokes = Array.from({ length: LINKS }, (_, at) => `spoke-${at}`);
const names = [hub, ...spokes];
const linked = (a: string, b: string): boolean => a === hub || b === hub;

/** The side that dials masks: with `spokes` dialling, what the hub sends is unmasked and what it receives is masked. */
const networks: [string, Network][] = [
  ["memory", memoryNetwork(names)],
  ["ws, half of the messages masked", await loopbackNetwork(names, { linked })],
  ["ws, skipMasking", await loopbackNetwork(names, { linked, skipMasking: true })],
];

let session = 0;

async function measure(network: Network, elements: number): Promise<{ cpu: number; wall: number }> {
  const center = network.get(hub) as PartyEndpoint;
  const tensor = { data: new Float32Array(elements).fill(0.5), shape: [1, elements] as const };
  const expect = { shape: [1, elements] as const, word: "float" as const };
  const messages = BYTES_PER_ROUND / (elements * 4);
  session++;
  const before = process.cpuUsage();
  const start = performance.now();
  for (let step = 0; step < messages / LINKS / 2; step++) {
    const key = { session, layer: 0, step, role: "q" as const };
    await Promise.all(
      spokes.map(async (name) => {
        const spoke = network.get(name) as PartyEndpoint;
        await center.send(name, key, tensor);
        await spoke.receive(hub, key, expect);
        await spoke.send(hub, key, tensor);
        await center.receive(name, key, expect);
      }),
    );
  }
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  for (const endpoint of network.values()) endpoint.closeSession(session, null);
  return { cpu: (user + system) / messages, wall };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

for (const bytes of [24 * 1024, 36 * 1024, 1024 * 1024]) {
  const figures = networks.map(([what]) => ({ what, cpu: [] as number[], wall: [] as number[] }));
  for (let round = 0; round < ROUNDS + 2; round++) {
    for (const [at, [, network]] of networks.entries()) {
      const { cpu, wall } = await measure(network, bytes / 4);
      // The first rounds warm up the compiler and the sockets' buffers.
      if (round < 2) continue;
      figures[at].cpu.push(cpu);
      figures[at].wall.push(wall);
    }
  }
  for (const { what, cpu, wall } of figures) {
    const rate = BYTES_PER_ROUND / 1e6 / (median(wall) / 1000);
    console.log(`${bytes / 1024} KB, ${what}: ${median(cpu).toFixed(1)} us of CPU a message, ${rate.toFixed(0)} MB/s`);
  }
}
for (const [, network] of networks) await Promise.all([...network.values()].map((endpoint) => endpoint.close()));
