import { fork, type ChildProcess } from "node:child_process";
import { partyKind } from "../../cascade/party-name.ts";
import type { ProcessImage } from "../image/process-image.ts";
import type { NodeAnswer, NodeOrder } from "./node-process.ts";

/**
 * Messages are short-lived buffers outside V8's heap, and each of them counts as pressure to collect. A larger nursery collects less
 * often; helper threads for it only compete with the other nodes of the machine. Measured on SmolLM2, 128 tokens: 0.34 to 0.25 s of
 * CPU for one CompNode and one AttnNode.
 */
const NODE_FLAGS = ["--single-threaded-gc", "--max-semi-space-size=32", "--min-semi-space-size=32"];

/**
 * An AttnNode moves messages and leaves its arithmetic to ONNX Runtime. Dozens of them on one machine would each optimize the same code,
 * which took 29 % of their CPU even after eight prompts of 128 tokens; and memory that is touched for the first time is dear, so their
 * nursery is smaller. A few AttnNodes keep the compiler: without it decoding at beta = 2 fell from 10.5 to 8.4 tokens a second. Measured at alpha = beta = 8: the first five prompts 36 to 17 s of CPU, later ones 3.5 to 4 s to about 3 s.
 */
const CROWDED_ATTN_FLAGS = [
  "--single-threaded-gc",
  "--max-semi-space-size=4",
  "--min-semi-space-size=4",
  "--no-opt",
  "--always-sparkplug",
];

export interface NodeChildOptions {
  /** It keeps what V8 compiled, for the next nodes of its kind. */
  readonly isFirst?: boolean;
  /** Dozens of AttnNodes share the machine. */
  readonly isCrowded?: boolean;
  /** All its links are ws:// on loopback. */
  readonly isPlain?: boolean;
}

/** Node reads this file of certificates when it starts, which took 30 of the 50 ms of CPU that it needs; plain links ask for none. */
const withoutAuthorities = ({ NODE_EXTRA_CA_CERTS: _unused, ...rest }: NodeJS.ProcessEnv): NodeJS.ProcessEnv => rest;

/** One child process and the answers that it owes. */
export class NodeChild {
  readonly party: string;
  readonly #process: ChildProcess;
  readonly #answers: NodeAnswer[] = [];
  readonly #exited: Promise<void>;
  #wake: () => void = () => {};
  #failure: Error | null = null;

  constructor(
    party: string,
    image: ProcessImage,
    { isFirst = false, isCrowded = false, isPlain = true }: NodeChildOptions = {},
  ) {
    this.party = party;
    // No inherited loader flags: the image is plain JavaScript. WEIR_NODE_FLAGS serves profilers.
    this.#process = fork(image.script, [...image.arguments, partyKind(party), isFirst ? "keep" : "take", party], {
      execArgv:
        process.env.WEIR_NODE_FLAGS?.split(" ") ??
        (isCrowded && partyKind(party) === "attn" ? CROWDED_ATTN_FLAGS : NODE_FLAGS),
      env: isPlain ? withoutAuthorities(process.env) : process.env,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#process.on("message", (answer: NodeAnswer) => {
      if (answer.answer === "failed") this.#failure ??= new Error(`${party}: ${answer.reason}`);
      else this.#answers.push(answer);
      this.#wake();
    });
    this.#exited = new Promise((resolve) => {
      const gone = (how: string): void => {
        this.#failure ??= new Error(`${party}: expected its process to run, got its end (${how})`);
        this.#wake();
        resolve();
      };
      this.#process.on("exit", (code, signal) => gone(signal ?? `exit code ${code}`));
      this.#process.on("error", (error) => gone(error.message));
    });
  }

  /** Rejects when the process ends or says that it failed. */
  async failed(): Promise<never> {
    await this.#exited;
    throw this.#failure;
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  order(order: NodeOrder): void {
    if (this.#process.connected) this.#process.send(order);
  }

  /** The next answer, which must be of this kind. */
  async answer<Kind extends NodeAnswer["answer"]>(kind: Kind): Promise<Extract<NodeAnswer, { answer: Kind }>> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) {
        if (answer.answer !== kind) throw new Error(`${this.party}: expected the answer ${kind}, got ${answer.answer}`);
        return answer as Extract<NodeAnswer, { answer: Kind }>;
      }
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ends the process: by closing its channel, and after two seconds by force. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const force = setTimeout(() => this.#process.kill("SIGKILL"), 2000);
    await this.#exited;
    clearTimeout(force);
  }
}
