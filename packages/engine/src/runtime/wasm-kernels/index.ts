import { registerConv2dFilter } from "./conv2d-filter.ts";
import { registerDepthwiseFilter } from "./depthwise-filter.ts";
import { registerDepthwiseInput } from "./depthwise-input.ts";
import { registerSegmentSum } from "./segment-sum.ts";

/** Adds the kernels that training needs and tfjs' WebAssembly backend lacks. */
export function registerWasmKernels(): void {
  registerConv2dFilter();
  registerDepthwiseFilter();
  registerDepthwiseInput();
  registerSegmentSum();
}
