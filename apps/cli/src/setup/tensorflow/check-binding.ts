/** Run as a program with a tfjs_binding.node: loads it, multiplies two matrices and prints `{version, gpu}`. */
import { createRequire } from "node:module";

interface Binding {
  TF_Version: string;
  isUsingGpuDevice(): boolean;
  createTensor(shape: number[], dtype: number, values: Float32Array): number;
  executeOp(op: string, attributes: object[], inputs: number[], outputs: number): { id: number }[];
  tensorDataSync(id: number): Float32Array;
  TF_ATTR_BOOL: number;
  TF_FLOAT: number;
}

const load: (file: string) => Binding = createRequire(import.meta.url);
const binding = load(process.argv[2] ?? "");

const matrix = (values: number[]): number => binding.createTensor([2, 2], binding.TF_FLOAT, Float32Array.from(values));
const attributes = ["transpose_a", "transpose_b"].map((name) => ({ name, type: binding.TF_ATTR_BOOL, value: false }));
const [product] = binding.executeOp("MatMul", attributes, [matrix([1, 2, 3, 4]), matrix([5, 6, 7, 8])], 1);
const values = product && [...binding.tensorDataSync(product.id)].join(" ");
if (values !== "19 22 43 50") throw new Error(`[1 2; 3 4] * [5 6; 7 8] gave ${values}`);
console.log(JSON.stringify({ version: binding.TF_Version, gpu: binding.isUsingGpuDevice() }));
