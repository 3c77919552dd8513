export { openStore } from "./open.ts";
export { ArtifactStore, type ResolvedReference } from "./store.ts";
export type { ModelSummary } from "./names.ts";
export type { LineageNode } from "./lineage.ts";
export type { PublishTarget } from "./publish.ts";
export type { Scratch } from "./scratch.ts";
export type { StoreDriver } from "./driver.ts";
export { FsDriver } from "./drivers/fs.ts";
export { MemoryDriver } from "./drivers/memory.ts";
