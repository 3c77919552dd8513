export { createSession, type Session, type SessionOptions } from "./session.ts";
export type { TensorData, TensorValue } from "./tensors.ts";
export { classify, type Classification } from "./classify.ts";
export { proportion } from "./proportion.ts";
