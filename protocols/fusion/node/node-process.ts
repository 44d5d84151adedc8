/**
 * The process of one local node, started by local-processes.ts. It takes its orders over the process's own channel to its parent, and
 * ends with it.
 */
import { openModel } from "../../../layers/model.ts";
import { Node } from "./node.ts";

/** Parent -> node. */
export type NodeOrder =
  | {
      readonly order: "start";
      readonly party: string;
      readonly alpha: number;
      readonly beta: number;
      readonly parties?: number;
      readonly dealer?: boolean;
      readonly attnLinks?: boolean;
      readonly model: string;
      readonly listen: string;
      readonly viewsFolder: string | null;
      readonly head: boolean;
    }
  | { readonly order: "join"; readonly addresses: Readonly<Record<string, string>> };

/** Node -> parent. */
export type NodeAnswer =
  | { readonly answer: "listening"; readonly address: string }
  | { readonly answer: "joined" }
  | { readonly answer: "failed"; readonly reason: string };

let node: Node | null = null;

/** Takes orders until the parent is gone; `keep` is called then, where nothing failed. */
export function run(keep: () => void): void {
  process.on("message", (message: NodeOrder) => {
    follow(message).catch((error: unknown) => {
      tell({ answer: "failed", reason: error instanceof Error ? error.message : String(error) });
      process.exitCode = 1;
      process.disconnect();
    });
  });
  process.on("disconnect", () => {
    void (node?.close() ?? Promise.resolve()).finally(() => {
      if (process.exitCode === undefined) keep();
      process.exit();
    });
  });
}

async function follow(message: NodeOrder): Promise<void> {
  if (message.order === "start") {
    const { order: _order, model: file, ...options } = message;
    node = await Node.start({ ...options, model: await openModel(file), threads: 1 });
    tell({ answer: "listening", address: node.endpoint.address! });
  } else {
    await node!.join(message.addresses);
    tell({ answer: "joined" });
  }
}

function tell(answer: NodeAnswer): void {
  process.send!(answer);
}
