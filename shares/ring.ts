/** The ring kernels that the engine computes with. What each means is in ring-reference.ts. */
export { ringReference as ring } from "./ring-reference.ts";
