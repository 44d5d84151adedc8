import type { Sources } from "./sources.ts";

/** Where the names of parties are made and parsed. */
const HOME = "protocols/cascade/party-name.ts";

/** The beginning of a party's name in a string. */
const NAME = /["'`](?:comp|attn|smpc)\./;
/** A text cut at its dots; its first group is what the text is called. */
const CUT = /(\w+)!?\s*\.split\(\s*["'`]\.["'`]/;
/** Texts with dots that name no party: sites of a program, paths into JSON. */
const OTHERS = new Set(["site", "path"]);

/** Code outside its home, tests apart, that makes or takes apart the names of parties. */
export function foreignPartyNames(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    if (!/\.(ts|mjs)$/.test(file) || file.startsWith("tests/") || file === HOME) return [];
    const name = NAME.exec(text)?.[0];
    const cut = [...text.matchAll(new RegExp(CUT, "g"))].find(([, what]) => !OTHERS.has(what))?.[0];
    return [name, cut]
      .filter((found) => found !== undefined)
      .map((found) => `${file}: holds ${found.replace(/\s+/g, "")}; ${HOME} makes and parses the names of parties`);
  });
}
