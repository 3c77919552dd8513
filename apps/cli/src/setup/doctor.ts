import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { backendInfo, toAppError } from "@whittle/contracts";
import { openStore } from "@whittle/store";
import { datasets, type DatasetContract } from "@whittle/zoo/catalog";
import { command } from "./command.ts";
import { findData } from "./datasets.ts";
import { describe, type Finding } from "./finding.ts";
import { nvidiaGpus } from "./gpu.ts";
import { inspectRedis } from "./inspect-redis.ts";
import { readSettings, type Settings } from "./settings.ts";

/** Prints what Whittle finds on this machine and what to do about what is missing. @returns whether it can run. */
export async function doctor(settings = readSettings()): Promise<boolean> {
  const findings = await inspect(settings);
  for (const finding of findings) console.log(describe(finding));
  return findings.every(({ status }) => status !== "missing");
}

/** Looks at everything that Whittle needs; changes nothing. */
export async function inspect(settings: Settings): Promise<Finding[]> {
  const found = await Promise.all([
    inspectBackend(),
    inspectRedis(settings),
    inspectStore(settings),
    ...Object.entries(datasets).map(([name, contract]) => inspectDataset(name, contract, settings)),
  ]);
  return [{ subject: "Node", status: "ok", found: process.versions.node }, ...found.flat()];
}

async function inspectBackend(): Promise<Finding[]> {
  const gpus = await nvidiaGpus();
  try {
    const { backend, version, gpu, threads } = await askEngine();
    const native = backend === "tensorflow";
    const what = `${native ? "native TensorFlow" : "WEBASSEMBLY, several times slower"} ${version}, ${threads} threads`;
    return [
      native
        ? { subject: "backend", status: "ok", found: what }
        : { subject: "backend", status: "warn", found: what, advice: "npm run setup says why, and gets TensorFlow" },
      judgeGpu(gpus, gpu),
    ];
  } catch (error) {
    return [{ subject: "backend", status: "missing", found: toAppError(error).message, advice: "npm run setup" }];
  }
}

/** Warns where there is a GPU that is not used. */
export function judgeGpu(gpus: string[], used: boolean): Finding {
  if (used) return { subject: "GPU", status: "ok", found: `used: ${gpus.join(", ")}` };
  if (gpus.length === 0) return { subject: "GPU", status: "ok", found: "none (no NVIDIA driver): jobs run on the CPU" };
  const advice =
    "npm run setup gets the CUDA build of TensorFlow (WHITTLE_TENSORFLOW=cuda insists) and says why it can't";
  return { subject: "GPU", status: "warn", found: `not used: ${gpus.join(", ")}`, advice };
}

async function askEngine() {
  const program = fileURLToPath(new URL("inspect-engine.ts", import.meta.url));
  const options = { cwd: dirname(program), timeoutSeconds: 120 };
  const output = await command(process.execPath, ["--import", "tsx", program], options);
  return backendInfo.parse(JSON.parse(output.trim().split("\n").at(-1) ?? ""));
}

/** Opening a store tries what it needs: creating, linking, renaming. */
export async function inspectStore({ store }: Pick<Settings, "store">): Promise<Finding> {
  try {
    await openStore(store);
    return { subject: "store", status: "ok", found: `${store} is writable` };
  } catch (error) {
    return { subject: "store", status: "missing", found: toAppError(error).message, advice: storeAdvice(store) };
  }
}

function storeAdvice(store: string): string {
  if (store.startsWith("s3:"))
    return "check bucket, endpoint and region of WHITTLE_STORE, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
  return "make that folder writable, or name another in WHITTLE_STORE (a path, or s3://bucket/prefix)";
}

async function inspectDataset(name: string, { sources }: DatasetContract, settings: Settings): Promise<Finding> {
  if (sources.some(({ type }) => type === "bundled"))
    return { subject: name, status: "ok", found: "comes with Whittle" };
  const folder = await findData(name, settings);
  if (folder !== undefined) return { subject: name, status: "ok", found: folder };
  return { subject: name, status: "warn", found: "not here", advice: `npm run setup -- --dataset ${name}` };
}
