/** Starting the parties of this machine: who waits is told, and a party that can't start ends the start. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { it } from "node:test";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { startNodeProcesses } from "../../../protocols/fusion/node/node-processes.ts";

const OPTIONS = { alpha: 2, beta: 2, parties: 2, model: DEFAULT_MODEL, viewsFolder: null, head: false };

it("tells after each party how many stand", async () => {
  const told: string[] = [];
  const processes = await startNodeProcesses({ ...OPTIONS, report: (doing) => told.push(doing) });
  try {
    assert.equal(new Set(processes.pids.values()).size, 8, "a process each");
    await processes.join();
  } finally {
    await processes.close();
  }
  const counts = told.flatMap((doing) => /^starting 8 parties: (\d+) stand/.exec(doing)?.[1] ?? []);
  assert.deepEqual(counts.map(Number), [1, 2, 3, 4, 5, 6, 7, 8]);
});

it("ends with the name of a party that can't start, and starts no more", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const taken = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const told: string[] = [];
  try {
    await assert.rejects(
      startNodeProcesses({ ...OPTIONS, addresses: { "comp.0": taken }, report: (doing) => told.push(doing) }),
      /^Error: comp\.0: listen on ws:.*: expected a free port, got one in use/,
    );
  } finally {
    server.close();
  }
  assert.ok(!told.some((doing) => doing.includes("8 stand")), told.join());
});
