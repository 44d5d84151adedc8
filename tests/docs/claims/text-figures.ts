/** Numbers of a text, and whether a measured one is what a text states by its digits. */
import type { Stated } from "./record-figures.ts";

/** A number as it is written. */
interface Written {
  readonly value: number;
  /** Half of the last digit that is written. */
  readonly half: number;
  /** M of "N of M". */
  readonly of: Written | null;
  /** The ends in brackets behind it. */
  readonly ends: readonly [Written, Written] | null;
  /** A share, a decimal or one of "N of M": it must be some figure of the anchor's. */
  readonly isStrict: boolean;
  readonly text: string;
}

const NUMBER = String.raw`-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?`;
const WRITTEN = new RegExp(
  String.raw`(?<![\w.])(${NUMBER})(?: *\[(${NUMBER}), (${NUMBER})\]| of (${NUMBER}))?( %)?`,
  "g",
);

/** Of counts, which may be means: "45 of 45" is not what 44.6 of 45 says. */
const COUNT = 0.05;

/** The numbers of a text without code; names of papers, powers and section numbers are none. */
export function numbersIn(text: string): Written[] {
  const bare = text
    .replaceAll(/`[^`]*`/g, " ")
    .replaceAll(/\]\([^)]*\)/g, "]")
    .replaceAll(/\b\d{4}\.\d{4,5}\b|\b\d+\/\d+\b/g, " ")
    .replaceAll("*", "");
  return [...bare.matchAll(WRITTEN)].map(([whole, number, low, high, of, percent]) => {
    const one = written(number);
    const isWhole = !one.text.includes(".");
    const half =
      of !== undefined && isWhole ? COUNT : percent !== undefined && isWhole ? Math.max(one.half, 0.5) : one.half;
    return {
      ...one,
      half,
      of: of === undefined ? null : { ...written(of), half: COUNT },
      ends: low === undefined || high === undefined ? null : [written(low), written(high)],
      isStrict: one.text.includes(".") || low !== undefined || of !== undefined || percent !== undefined,
      text: whole.trim(),
    };
  });
}

function written(number: string): Written {
  const text = number.replaceAll(",", "");
  const value = Number(text);
  const [digits, power] = text.split("e");
  const decimals = digits.split(".")[1]?.length ?? 0;
  // Round hundreds and more are rounded; counts below are what they are.
  const zeros = decimals === 0 && value >= 100 ? /0*$/.exec(digits)![0].length : 0;
  const last = decimals > 0 ? 10 ** -decimals : value === 0 ? 1 : 10 ** zeros;
  // "1" and "0" for a share: all, none.
  const half =
    power === undefined && Math.abs(value) <= 1 && decimals === 0 ? 0.005 : (last * 10 ** Number(power ?? 0)) / 2;
  return { value, half, of: null, ends: null, isStrict: false, text };
}

const near = ({ value, half }: Written, figure: number): boolean =>
  Math.abs(value - figure) <= half * (1 + 1e-9) + 1e-12;

/** Does a number state what a metric came to: the same mean or count, and where ends are written the same ends? */
export function states(number: Written, [{ mean, low, high }, of]: Stated): boolean {
  if (!near(number, mean)) return false;
  if (of !== undefined) return number.of !== null && near(number.of, of.mean);
  if (number.ends === null) return number.of === null;
  return low !== undefined && high !== undefined && near(number.ends[0], low) && near(number.ends[1], high);
}

/** Faults of a text that states figures: those that it lacks, and strict numbers of it that are none of them nor given. */
export function figureFaults(
  text: string,
  figures: readonly { readonly metric: string; readonly stated: Stated }[],
  given: readonly number[],
): string[] {
  const numbers = numbersIn(text);
  const isGiven = ({ value, of }: Written): boolean =>
    given.includes(value) && (of === null || given.includes(of.value));
  const all = figures.map(({ stated }) => shown(stated)).join(", ");
  return [
    ...figures
      .filter(({ stated }) => !numbers.some((number) => states(number, stated)))
      .map(({ metric, stated }) => `states no ${metric} of ${shown(stated)}, which its record has`),
    ...numbers
      .filter((number) => number.isStrict && !isGiven(number))
      .filter((number) => !figures.some(({ stated }) => states(number, stated)))
      .map((number) => `states ${number.text}, which none of its records has (${all})`),
  ];
}

/** "0.98 [0.97, 0.99]", "31 of 31". */
const shown = (stated: Stated): string =>
  stated
    .map(({ mean, low, high }) => {
      const digits = (value: number): string => String(Number(value.toPrecision(5)));
      return low === undefined || high === undefined
        ? digits(mean)
        : `${digits(mean)} [${digits(low)}, ${digits(high)}]`;
    })
    .join(" of ");
