import type { Patches } from "../patches.ts";
import { fuseBatchNorm } from "./batch-norm.ts";
import { fuseGru } from "./gru.ts";
import { fuseLstm } from "./lstm.ts";
import { fuseRelu } from "./relu.ts";

/** Has tfjs call single operations of TensorFlow's for what it otherwise composes of many; in a graph these are faster. */
export function installFusions(patches: Patches): void {
  for (const fuse of [fuseBatchNorm, fuseGru, fuseLstm, fuseRelu]) fuse(patches);
}
