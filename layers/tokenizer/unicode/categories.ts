import { CodePoints } from "./code-points.ts";
import { CATEGORIES, CATEGORY_NAMES, OTHER_ALPHABETIC, SCRIPTS } from "./tables.ts";

const NAMES = CATEGORY_NAMES.split(" ");

/** Oniguruma's own addition to the word characters outside classes. */
const WORD_NUMBERS = CodePoints.of("²³¹¼½¾");
const JOINERS = CodePoints.ranges([[0x200c, 0x200d]]);

/** Unicode 16's general categories, properties and scripts, as sets by name. */
class UnicodeCategories {
  readonly #ranges: ReadonlyMap<string, [number, number][]>;
  /** What was asked for before, as patterns ask for the same again and again. */
  readonly #made = new Map<string, CodePoints>();

  constructor() {
    const ranges = new Map<string, [number, number][]>(NAMES.map((name) => [name, []]));
    let at = 0;
    for (const [, letter, length] of CATEGORIES.matchAll(/([A-Za-z])(\d*)/g)) {
      const code = letter.charCodeAt(0);
      const end = at + (length === "" ? 1 : Number(length));
      ranges.get(NAMES[code >= 97 ? code - 97 + 26 : code - 65])!.push([at, end - 1]);
      at = end;
    }
    this.#ranges = ranges;
  }

  /** Those of general categories, by their two letters or their first ("Lu", "L"). */
  of(...categories: readonly string[]): CodePoints {
    return this.#once(categories.join(" "), () => this.#union(categories));
  }

  #once(name: string, make: () => CodePoints): CodePoints {
    const made = this.#made.get(name) ?? make();
    this.#made.set(name, made);
    return made;
  }

  #union(categories: readonly string[]): CodePoints {
    const wanted = NAMES.filter((name) => categories.some((category) => name.startsWith(category)));
    return CodePoints.ranges(wanted.flatMap((name) => this.#ranges.get(name)!));
  }

  get alphabetic(): CodePoints {
    return this.#once("alphabetic", () => this.of("L", "Nl").or(CodePoints.parse(OTHER_ALPHABETIC)));
  }

  get whitespace(): CodePoints {
    return this.#once("whitespace", () => this.of("Z").or(CodePoints.ranges([[0x09, 0x0d]]), CodePoints.of("\u0085")));
  }

  /** \w of Rust's regex. */
  get word(): CodePoints {
    return this.alphabetic.or(this.of("M", "Nd", "Pc"), JOINERS);
  }

  /** \w of Oniguruma: no joiners, but six numbers; not those in a class. */
  onigurumaWord(inClass: boolean): CodePoints {
    const word = this.alphabetic.or(this.of("M", "Nd", "Pc"));
    return inClass ? word : word.or(WORD_NUMBERS);
  }

  /** A script that patterns may name, in lower case; undefined for others. */
  script(name: string): CodePoints | undefined {
    return Object.hasOwn(SCRIPTS, name) ? CodePoints.parse(SCRIPTS[name]) : undefined;
  }
}

/** The one table of them. */
export const CATEGORIES_16: UnicodeCategories = new UnicodeCategories();
