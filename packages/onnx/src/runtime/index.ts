export { classify, onlyTensors, type Classification } from "./classify.ts";
export { needsReducedRange } from "./cpu.ts";
export { fusedOperators } from "./fused.ts";
export { measureLatency, type Latency, type LatencyOptions } from "./latency.ts";
export { proportion } from "./proportion.ts";
export { createSession, onnxRuntimeVersion, type Session, type SessionOptions } from "./session.ts";
export type { TensorArray, TensorValue } from "./tensors.ts";
