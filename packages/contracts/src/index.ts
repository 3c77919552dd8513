export * from "./errors.ts";
export * from "./references.ts";
export * from "./manifest.ts";
export * from "./job.ts";
export * from "./events.ts";
export * from "./pipeline.ts";
export * from "./worker.ts";
export * from "./training.ts";
