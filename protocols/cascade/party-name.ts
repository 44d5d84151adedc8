/** The parties of a session and their names, which are made and parsed here alone. */

/** What a party is. i: the shard R_i that a CompNode owns; j and k: the query shard S_j and the key shard S_k of an AttnNode. */
export type PartyId =
  | { readonly kind: "client" }
  | { readonly kind: "comp"; readonly i: number }
  | { readonly kind: "attn"; readonly j: number; readonly k: number }
  | { readonly kind: "smpc"; readonly party: number }
  | { readonly kind: "dealer" };

export type PartyKind = PartyId["kind"];

/** The party that owns the prompt. */
export const CLIENT = "client";
/** The party that deals correlations where the client doesn't. */
export const DEALER = "dealer";

export const compName = (i: number): string => `comp.${i}`;
export const attnName = (j: number, k: number): string => `attn.${j}.${k}`;
export const smpcName = (party: number): string => `smpc.${party}`;

/** A text that names no party, or one of another kind than is meant. */
export class PartyNameError extends Error {
  override readonly name = "PartyNameError";

  constructor(text: string, expected: string) {
    super(`party: expected ${expected}, got ${text}`);
  }
}

const NUMBER = "(0|[1-9]\\d{0,8})";
const NAME = new RegExp(`^(?:${CLIENT}|${DEALER}|comp\\.${NUMBER}|attn\\.${NUMBER}\\.${NUMBER}|smpc\\.${NUMBER})$`);
const FORMS = `${CLIENT}, ${compName(0)}, ${attnName(0, 0)}, ${smpcName(0)} or ${DEALER} (or another number)`;

/** Whom a name means; `kind`: the only one that will do. Throws PartyNameError for any other text. */
export function parsePartyName<Kind extends PartyKind = PartyKind>(
  name: string,
  kind?: Kind,
): Extract<PartyId, { kind: Kind }> {
  const id = parsed(name);
  if (id === null) throw new PartyNameError(name, FORMS);
  if (kind !== undefined && id.kind !== kind) throw new PartyNameError(name, `one of kind ${kind}`);
  return id as Extract<PartyId, { kind: Kind }>;
}

/** The kind of the party that a name means. Throws PartyNameError. */
export const partyKind = (name: string): PartyKind => parsePartyName(name).kind;

function parsed(name: string): PartyId | null {
  const [found, i, j, k, party] = NAME.exec(name) ?? [];
  if (found === undefined) return null;
  if (i !== undefined) return { kind: "comp", i: Number(i) };
  if (j !== undefined) return { kind: "attn", j: Number(j), k: Number(k) };
  if (party !== undefined) return { kind: "smpc", party: Number(party) };
  return { kind: name as typeof CLIENT | typeof DEALER };
}
