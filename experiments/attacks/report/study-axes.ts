import type { StudyAxes } from "./plots.ts";

/** What is drawn of each study, by its name; a study that isn't here has a table alone. */
export const STUDY_AXES: Readonly<Record<string, readonly StudyAxes[]>> = {};
