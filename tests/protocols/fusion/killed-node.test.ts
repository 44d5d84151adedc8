import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GREEDY } from "../../../layers/sampling.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import { openSession } from "../../../protocols/fusion/client/open-session.ts";
import type { LocalProcesses } from "../../../protocols/fusion/deployment/local-processes.ts";
import { openDeployment } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { runConfig } from "../../../protocols/fusion/config/run-config.ts";

describe("a node process that is killed in the middle of a generation", () => {
  for (const victim of ["comp.1", "attn.0.1"]) {
    it(`${victim}: ends the generation with its name, and leaves no process behind`, async () => {
      const config = runConfig.parse({ alpha: 2, c: 1, maxTokens: 300 });
      const opened = await openDeployment(config, () => {});
      const { pids } = opened.deployment as LocalProcesses;
      const session = await openSession(opened, { config, promptLength: 3 });
      let killedAt = 0;
      let tokens = 0;
      const generation = async (): Promise<void> => {
        for await (const _ of generate(session, opened.head, [5, 6, 7], GREEDY, new Set())) {
          if (++tokens !== 5) continue;
          killedAt = performance.now();
          process.kill(pids.get(victim)!, "SIGKILL");
        }
      };
      await assert.rejects(generation(), (error: Error) => error.message.includes(victim));
      const endedMs = performance.now() - killedAt;
      await opened.close();
      assert.ok(tokens < 300, "expected the generation to be cut off");
      // A bound against hanging, not a measurement: deadlines are 30 s and more.
      assert.ok(endedMs < 5000, `expected the end within 5 s, got ${endedMs} ms`);
      for (const [party, pid] of pids) assert.throws(() => process.kill(pid, 0), /ESRCH/, party);
    });
  }
});
