import type { Command } from "commander";

export interface NetworkFlags {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly insecurePlaintext?: boolean;
}

/** Flags of commands that speak to other machines. */
export function addNetworkFlags(command: Command): Command {
  return command
    .option("--cert <file>", "PEM file: this machine's certificate, for wss://")
    .option("--key <file>", "PEM file: its private key")
    .option("--ca <file>", "PEM file: who signs the certificates of the others")
    .option("--insecure-plaintext", "allow ws:// between machines: anyone on the way reads and alters all");
}
