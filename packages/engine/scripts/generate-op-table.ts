/**
 * Writes src/compile/generated/ops.json: for each TensorFlow op that tfjs-node can call, how its attributes follow from its inputs.
 *
 *   npx tsx packages/engine/scripts/generate-op-table.ts <folder with include/ and lib/ of TensorFlow>
 *
 * It needs g++. Run it again when TensorFlow or tfjs-node changes.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { tf } from "../src/tf.ts";
import type { OpEntry } from "../src/compile/op-table.ts";

/** As far as this script reads tensorflow.OpDef (op_def.proto). */
interface ArgDef {
  type: number;
  typeAttr: string;
  numberAttr: string;
  typeListAttr: string;
}
interface OpDef {
  name: string;
  inputArgList: ArgDef[];
  outputArgList: ArgDef[];
  attrList: { name: string; type: string }[];
  isStateful: boolean;
}
interface Messages {
  OpList: { deserializeBinary(bytes: Uint8Array): { toObject(): { opList: OpDef[] } } };
}

/** Ops that tfjs does not know and the compiler puts into a graph. */
const emitted = [
  "AddV2",
  "BlockLSTMGradV2",
  "BlockLSTMV2",
  "Const",
  "EnsureShape",
  "FusedBatchNormGradV3",
  "FusedBatchNormV3",
  "GRUBlockCell",
  "GRUBlockCellGrad",
  "Identity",
  "LSTMBlockCellGrad",
  "Mul",
  "Pack",
  "Placeholder",
  "ReluGrad",
  "Shape",
  "StatelessMultinomial",
  "StatelessRandomNormal",
  "StatelessRandomUniform",
  "StatelessTruncatedNormal",
];

const require = createRequire(import.meta.url);

function readOps(tensorflow: string): OpDef[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), "whittle-ops-"));
  try {
    const binary = path.join(folder, "dump-ops");
    const lib = path.join(tensorflow, "lib");
    const source = path.join(import.meta.dirname, "dump-ops.cc");
    const libraries = [path.join(lib, "libtensorflow_cc.so.2"), path.join(lib, "libtensorflow_framework.so.2")];
    const include = `-I${path.join(tensorflow, "include")}`;
    execFileSync("g++", ["-std=c++17", include, source, ...libraries, `-Wl,-rpath,${lib}`, "-o", binary]);
    const bytes = execFileSync(binary, { maxBuffer: 1 << 26 });
    const { OpList }: Messages = require("@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js");
    return OpList.deserializeBinary(bytes).toObject().opList;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Every string and every kernel name in tfjs-node's sources: a superset of the ops that it calls. */
function namesInTfjsNode(): Set<string> {
  const dist = path.dirname(require.resolve("@tensorflow/tfjs-node-gpu"));
  const files = readdirSync(path.join(dist, "kernels")).map((file) => path.join(dist, "kernels", file));
  const constants: Record<string, unknown> = { ...tf };
  const names = new Set(emitted);
  for (const file of [...files, path.join(dist, "nodejs_kernel_backend.js")]) {
    const text = readFileSync(file, "utf8");
    for (const [, name = ""] of text.matchAll(/['"](\w+)['"]/g)) names.add(name);
    for (const [, name = ""] of text.matchAll(/\btfjs_1\.(\w+)/g)) {
      const value = constants[name];
      if (typeof value === "string") names.add(value);
    }
  }
  return names;
}

function argument({ type, typeAttr, numberAttr, typeListAttr }: ArgDef): string {
  if (typeListAttr) return `[${typeListAttr}]`;
  const of = typeAttr || `=${type}`;
  return numberAttr ? `${numberAttr}*${of}` : of;
}

function entry(op: OpDef): OpEntry {
  return {
    inputs: op.inputArgList.map(argument),
    attrs: Object.fromEntries(op.attrList.map(({ name, type }) => [name, type])),
    ...(op.isStateful && { stateful: true }),
  };
}

const [tensorflow] = process.argv.slice(2);
if (!tensorflow) throw new Error("give the folder that has TensorFlow's include/ and lib/");
const wanted = namesInTfjsNode();
const table = Object.fromEntries(
  readOps(tensorflow)
    .filter((op) => wanted.has(op.name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((op) => [op.name, entry(op)]),
);
const out = path.join(import.meta.dirname, "../src/compile/generated/ops.json");
writeFileSync(
  out,
  `{\n${Object.entries(table)
    .map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(",\n")}\n}\n`,
);
console.log(`${Object.keys(table).length} ops written to ${out}`);
