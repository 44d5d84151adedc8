/**
 * ONNX Runtime, told to report to nobody. Its builds for Linux send an event for each process and each session (names and hashes of the
 * graph, the machine, a lasting identifier of it) to their maker and keep a queue in the user's cache folder, unless this variable is set
 * before the first session opens. So everything here imports it from this file.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";

process.env.ORT_DISABLE_TELEMETRY = "1";

export { InferenceSession, Tensor };
