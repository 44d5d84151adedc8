/**
 * The two edges of a session: token ids in, rows or tokens out.
 *
 * Functionality: the client sends each CompNode the ids of its own new rows; the owner of a step's last position returns that row after
 *   the last layer (or the token, where the LM head is there); with output "all" every CompNode returns all its rows.
 * Parties: client, CompNodes. Leaks: to each CompNode the ids of its own positions and of no others.
 * Assumes: semi-honest. Cost: `inputCost`, `outputCost`. Error bound: none, but for a float16 wire's
 *   rounding of rows. Reference: arXiv 2507.05228. Test: tests/protocols/cascade/cost.test.ts
 */
import type { CostExpressions } from "../cost.ts";

/** Mi: CompNodes with a row in the step; an id is a 4-byte word. The lookup needs no multiply-add. */
export const inputCost: CostExpressions = { payloadBytes: "4 * N", messages: "Mi", rounds: "1", multiplyAdds: "0" };

/** Nout rows in Mout messages, or one 4-byte token (tokenOut = 1); the LM head costs d · V a step that yields a token. */
export const outputCost: CostExpressions = {
  payloadBytes: "(1 - tokenOut) * w * Nout * d + tokenOut * 4",
  messages: "Mout",
  rounds: "1",
  multiplyAdds: "Nout * d * V",
};
