/**
 * The process of one local node, started by local-processes.ts. It takes its orders over the process's own channel to its parent, and
 * ends with it.
 */
import { openModel } from "../../../layers/model.ts";
import type { Certificates } from "../../wire/websocket-transport.ts";
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
      readonly certificates?: Certificates;
      readonly insecurePlaintext?: boolean;
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
      if (process.connected) process.disconnect();
    });
  });
  // Ctrl-C reaches every process of the terminal; this one ends with its parent, in good order.
  process.on("SIGINT", () => {});
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
    process.title = `weir ${message.party}`; // what ps shows
    node = await Node.start({ ...options, model: await openModel(file), threads: 1 });
    tell({ answer: "listening", address: node.endpoint.address! });
  } else {
    await node!.join(message.addresses);
    tell({ answer: "joined" });
  }
}

/** A parent that is gone, or has given up on its nodes, hears nothing more; this process ends by itself then. */
function tell(answer: NodeAnswer): void {
  if (process.connected) process.send!(answer, undefined, undefined, () => {});
}
