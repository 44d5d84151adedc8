import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

/** Who dials whom: victim - hub - witness - far; the last two have no link with the victim. */
const ROUTES: Record<string, Record<string, "dial" | "accept">> = {
  hub: { witness: "accept", victim: "accept" },
  victim: { hub: "dial" },
  witness: { hub: "dial", far: "accept" },
  far: { witness: "dial" },
};

type Report = { address?: string; linked?: true; reason?: string; peer?: string | null; at?: number };

/** Messages of a child by their order, awaited one after the other. */
function reports(child: ChildProcess): () => Promise<Report> {
  const arrived: Report[] = [];
  let wake: () => void = () => undefined;
  child.on("message", (message) => {
    arrived.push(message as Report);
    wake();
  });
  child.on("exit", (code, signal) => {
    arrived.push({ reason: `ended with ${code ?? signal}` });
    wake();
  });
  return async () => {
    while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return arrived.shift() as Report;
  };
}

describe("a party that is killed", () => {
  it("is named within a second, and everybody else ends with that reason", { timeout: 60_000 }, async () => {
    const program = fileURLToPath(new URL("party-process.ts", import.meta.url));
    const children = new Map(
      Object.entries(ROUTES).map(([party, peers]) => {
        const child = fork(program, [party, JSON.stringify(peers)], { execArgv: ["--import", "tsx"] });
        return [party, { child, next: reports(child) }] as const;
      }),
    );
    try {
      const addresses: Record<string, string> = {};
      for (const [party, { next }] of children) addresses[party] = (await next()).address as string;
      for (const [party, { child }] of children) {
        const dialled = Object.keys(ROUTES[party]).filter((peer) => ROUTES[party][peer] === "dial");
        child.send(Object.fromEntries(dialled.map((peer) => [peer, addresses[peer]])));
      }
      for (const { next } of children.values()) assert.deepEqual(await next(), { linked: true });

      const killedAt = Date.now();
      children.get("victim")?.child.kill("SIGKILL");
      for (const party of ["hub", "witness", "far"]) {
        const { reason, peer, at } = await children.get(party)!.next();
        assert.equal(peer, "victim", `${party}: ${reason}`);
        assert.match(reason as string, /peer victim: expected a goodbye, got its link closed without a goodbye/);
        assert.ok((at as number) - killedAt < 1000, `${party} knew after ${(at as number) - killedAt} ms`);
      }
      for (const party of ["hub", "witness", "far"]) {
        assert.deepEqual(await children.get(party)?.next(), { reason: "ended with 0" });
      }
    } finally {
      for (const { child } of children.values()) child.kill("SIGKILL");
    }
  });
});
