/** docs/costs.md: every declared cost expression, as the code has it. `npm run docs:costs` writes the page; a test compares it. */
import { attentionPassCost } from "../../protocols/cascade/attention-pass.ts";
import { inputCost, outputCost } from "../../protocols/cascade/edges.ts";
import { maskSeedCost } from "../../protocols/cascade/mask-seeds.ts";
import { maskedAttentionCost, maskedPostCost } from "../../protocols/cascade/masked-merge.ts";
import { postPassCost } from "../../protocols/cascade/post-pass.ts";
import { prePassCost } from "../../protocols/cascade/pre-pass.ts";
import { scaleExchangeCost } from "../../protocols/cascade/scale-exchange.ts";
import type { CostExpressions } from "../../protocols/cost.ts";
import { takeSeedCost } from "../../protocols/fusion/client/client-evaluation.ts";
import { zeroSeedCost } from "../../protocols/fusion/node/zero-seeds.ts";
import { seedCost } from "../../protocols/fusion/session/session-dealer.ts";
import { gates } from "../../protocols/smpc/gates/registry.ts";
import type { GateCost } from "../../protocols/smpc/plan/gate.ts";
import { handOverCost } from "../../protocols/smpc/run/hand-over.ts";
import { inputShareCost } from "../../protocols/smpc/run/share-rows.ts";

const CASCADE: readonly (readonly [step: string, how: string, cost: CostExpressions])[] = [
  ["input", "a step, where layer 0 is in Cascade", inputCost],
  ["pre-pass", "a step and layer", prePassCost],
  ["attention-pass", "a step and layer", attentionPassCost],
  ["post-pass", "a step and layer", postPassCost],
  ["mask seeds", "once a session, masked merge", maskSeedCost],
  ["scale exchange", "a step and layer, masked merge", scaleExchangeCost],
  ["attention-pass, masked", "a step and layer", maskedAttentionCost],
  ["post-pass, masked", "a step and layer", maskedPostCost],
  ["output", "a step, where the last layer is in Cascade", outputCost],
];

const EDGES: readonly (readonly [step: string, how: string, cost: CostExpressions])[] = [
  ["deal", "once a session: seeds", seedCost],
  ["deal, between the parties", "once a session: seeds of pairs", zeroSeedCost],
  ["deal, from a client that evaluates gates", "a step: seeds", takeSeedCost],
  ["share", "a step and run of layers: rows in", inputShareCost],
  ["handover", "a step and run of layers: rows out", handOverCost],
];

const OF_SESSIONS: Readonly<Record<string, string>> = {
  N: "rows of the step",
  d: "width of a row",
  dq: "width of q: heads times head width",
  dkv: "width of k and of v",
  H: "query heads",
  w: "bytes a word on the wire",
  V: "size of the vocabulary",
  Mlp: "multiply-adds a row of one layer's MLP",
  Mi: "CompNodes with a row in the step",
  Nq: "query rows sent, summed over the pairs",
  Nk: "key rows sent, summed over the pairs",
  Mq: "messages that carry query rows",
  Mk: "messages that carry key rows",
  QK: "query rows times cached key rows, summed over the pairs",
  Np: "query rows times ordered pairs of AttnNodes that both work on them",
  Mx: "such pairs",
  X: "1 where there are any, else 0",
  Mp: "pairs of AttnNodes that ever work on the same rows",
  Nout: "rows that leave",
  Mout: "messages that carry them",
  tokenOut: "1 where a token leaves in place of a row, else 0",
  n: "SMPC parties",
  Ms: "who holds rows before the layers: the client, or CompNodes with a row",
  Bs: "bytes of their rows, packed, summed",
  Mh: "who gets rows after the layers",
  Bh: "bytes of their rows and check words, packed, summed",
};

/** Of more gates than one; a gate says itself what only it has (Gate.meanings). */
const OF_GATES: Readonly<Record<string, string>> = {
  n: "SMPC parties",
  count: "elements",
  bits: "k: bits of the opened word",
  ringBits: "K: bits of the output's ring",
  extraBits: "K - k: bits of the ring above the opened word (one less where all is doubled), at least 0",
  rows: "rows of a matrix, or of attention entries",
  inputs: "input features",
  outputs: "output features",
  terms: "summands; harmonics of a series",
  windows: "windows that an exponent is cut into",
  groups: "rows, or heads of rows, that are treated as one",
  width: "elements of such a group",
  entries: "visible entries of the attention matrix, all heads",
  heads: "query heads",
  queries: "rows of the step",
  keys: "rows so far",
  headDim: "width of a head",
  ofA: "K - k of the first factor, at least 0",
  ofB: "K - l of the second factor (l: its bits), at least 0",
  ofBoth: "K - k - l, at least 0",
};

/** The page. Throws Error for a quantity that nothing says the meaning of. */
export function costPage(): string {
  const sessions = [...CASCADE, ...EDGES].flatMap(([, , cost]) => Object.values(cost) as string[]);
  const ofGates = Object.values(gates).flatMap(({ cost }) => Object.values(cost));
  const head = ["payload bytes", "messages", "rounds", "multiply-adds"];
  const row = ([step, how, cost]: (typeof CASCADE)[number]): string[] => [
    step,
    how,
    ...[cost.payloadBytes, cost.messages, cost.rounds, cost.multiplyAdds].map(code),
  ];
  return `# Declared costs

Written by \`npm run docs:costs\` from the expressions beside the code; tests compare them with the counters of runs, \`weir run\` prints
both, \`weir plan\` evaluates them ahead of a run. All parties summed, unless a column says otherwise.

## Cascade

${table(["step", "how often", ...head], CASCADE.map(row))}

## Into and out of the SMPC parties

A run of layers is a maximal run of neighbouring layers under SMPC. Explicit dealt words follow from the gates; they go to one party, a
step ahead.

${table(["step", "how often", ...head], EDGES.map(row))}

${table(["quantity", "what"], meanings(sessions, OF_SESSIONS))}

## SMPC gates

One instruction of a plan. Online bits are sent by all parties together, dealt bits to one party (the others expand seeds); each dealt
array and each opened value is packed into whole bytes. Openings that depend on none of one another share a round. Multiply-adds are one
party's, on words.

${table(
  ["gate", "online bits", "dealt bits", "rounds", "multiply-adds"],
  Object.values(gates).map(({ name, cost }) => [
    name,
    ...[cost.onlineBits, cost.dealtBits, cost.rounds, cost.multiplyAdds].map(code),
  ]),
)}

Between the parties and a client that evaluates gates: takes of one level are one message to the first party, gives of one level one a
party. The others' answers are ahead of time where a plan's shares come from the client alone and go back to it.

${table(
  [
    "gate",
    "client to the first party, bits",
    "first party to the client, bits",
    "each other party to the client, bits",
  ],
  gatesOfClients().map(([name, cost]) => [
    name,
    ...[cost.takenBits, cost.givenBits, cost.othersGivenBits].map((expression) => code(expression ?? "0")),
  ]),
)}

${table(["quantity", "what"], meanings(ofGates, { ...OF_GATES, ...ownMeanings() }))}
`;
}

/** Gates that exchange something with a client. */
const gatesOfClients = (): [name: string, cost: GateCost][] =>
  Object.values(gates)
    .map(({ name, cost }): [string, GateCost] => [name, cost])
    .filter(([, { takenBits, givenBits }]) => takenBits !== undefined || givenBits !== undefined);

/** Meanings that gates bring. Throws Error for a quantity that has one already: one name means one thing on the page. */
function ownMeanings(): Readonly<Record<string, string>> {
  const own: Record<string, string> = {};
  for (const { name, meanings: brought = {} } of Object.values(gates))
    for (const [quantity, meaning] of Object.entries(brought)) {
      const before = OF_GATES[quantity] ?? own[quantity];
      if (before !== undefined)
        throw new Error(`cost page: expected one meaning of ${quantity}, got another of ${name}; rename it there`);
      own[quantity] = meaning;
    }
  return own;
}

/** The quantities of some expressions with their meanings, in the order of the meanings. */
function meanings(expressions: readonly string[], known: Readonly<Record<string, string>>): string[][] {
  const used = new Set(expressions.flatMap((expression) => expression.match(/[A-Za-z]\w*/g) ?? []));
  const unknown = [...used].find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined)
    throw new Error(`cost page: expected a meaning of ${unknown}, got none; a gate's own go into its meanings`);
  return Object.entries(known)
    .filter(([name]) => used.has(name))
    .map(([name, meaning]) => [code(name), meaning]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const code = (text: string): string => `\`${text}\``;
