import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "@whittle/contracts";
import { z } from "zod";
import { command, onPath } from "../command.ts";
import { canInstallPackages, installPackages } from "../system-packages.ts";

const bindingReport = z.object({ version: z.string(), gpu: z.boolean() });

/** What a binding says about itself after it has computed. */
export type BindingReport = z.infer<typeof bindingReport>;

/**
 * Compiles the N-API binding that `@tensorflow/tfjs-node-gpu` carries as C++ source against the TensorFlow in `folder/lib`, with the
 * headers in `folder/include`, to `folder/tfjs_binding.node`. node-gyp is not needed: N-API's headers are an npm package.
 * @param rpath where the binding looks for TensorFlow when it is loaded.
 */
export async function compileBinding(
  compiler: string,
  root: string,
  folder: string,
  rpath = "$ORIGIN/lib",
): Promise<void> {
  const sources = join(root, "node_modules/@tensorflow/tfjs-node-gpu/binding");
  const files = (await readdir(sources)).filter((name) => name.endsWith(".cc")).map((name) => join(sources, name));
  const flags = ["-O2", "-std=c++17", "-shared", "-fPIC", "-DNAPI_VERSION=8", `-Wl,-rpath,${rpath}`];
  const includes = ["-I", join(root, "node_modules/node-api-headers/include"), "-I", join(folder, "include")];
  const output = ["-o", join(folder, "tfjs_binding.node")];
  await command(compiler, [...flags, ...includes, ...files, ...libraries(join(folder, "lib")), ...output]);
}

/** Loads a binding in a process of its own, which may crash, and computes with it. */
export async function checkBinding(file: string): Promise<BindingReport> {
  const program = fileURLToPath(new URL("check-binding.ts", import.meta.url));
  const output = await command(process.execPath, ["--import", "tsx", program, file], {
    cwd: dirname(program),
    env: { TF_CPP_MIN_LOG_LEVEL: "2" },
    timeoutSeconds: 120,
  });
  return bindingReport.parse(JSON.parse(output.trim().split("\n").at(-1) ?? ""));
}

/**
 * The two shared libraries of TensorFlow in a folder, by the names that its distributions give them.
 * @throws AppError `unavailable` that names what is missing.
 */
export function libraries(folder: string): [string, string] {
  const first = (names: string[]): string => {
    const found = names.map((name) => join(folder, name)).find((file) => existsSync(file));
    if (!found) throw new AppError("unavailable", `${folder} has none of ${names.join(", ")}`);
    return found;
  };
  return [
    first(["libtensorflow_cc.so.2", "libtensorflow.so.2", "libtensorflow.so"]),
    first(["libtensorflow_framework.so.2", "libtensorflow_framework.so"]),
  ];
}

/**
 * A C++ compiler, which is installed when it is missing.
 * @throws AppError `unavailable` where that is not allowed.
 */
export async function findCompiler(): Promise<string> {
  const compilers = ["g++", "c++", "clang++"];
  const found = await onPath(...compilers);
  if (found) return found;
  if (await canInstallPackages()) await installPackages("g++");
  const installed = await onPath(...compilers);
  if (!installed) throw new AppError("unavailable", "no C++ compiler: install g++ (apt-get install g++)");
  return installed;
}
