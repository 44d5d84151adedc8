/** The measures that questions may name. One more: its file, and its line here. */
import type { Measure, Measures } from "../lab/measure.ts";
import { accuracy } from "./accuracy.ts";
import { cost } from "./cost.ts";
import { exposure } from "./exposure.ts";
import { leak } from "./leak.ts";
import { time } from "./time.ts";

const ALL = [cost, exposure, time, accuracy, leak] as const;

export const MEASURES: Measures = new Map(ALL.map((measure) => [measure.name, measure as Measure]));
