import { performance } from "node:perf_hooks";
import { parse, toAppError } from "@whittle/contracts";
import { datasetName } from "@whittle/zoo/catalog";
import { setUpDataset } from "./datasets.ts";
import { describe, type Finding } from "./finding.ts";
import { setUpRedis } from "./redis.ts";
import type { Settings } from "./settings.ts";
import { installTensorFlow } from "./tensorflow/install.ts";

export interface SetUpOptions {
  /** Data sets to fetch beside the demo's. */
  datasets: string[];
  /** The steps to take; by default all. */
  only?: string[];
}

type Step = (settings: Settings, say: (what: string) => void) => Promise<Finding>;

/**
 * Takes the steps in turn and prints a line for each.
 * @returns whether Whittle can run.
 * @throws AppError `invalid_request`, before the first step, when the zoo has no data set of a name.
 */
export async function setUp(settings: Settings, { datasets, only }: SetUpOptions): Promise<boolean> {
  const names = datasets.map((name) => parse(datasetName, name, "--dataset"));
  const steps: Record<string, Step[]> = {
    tensorflow: [setUpTensorFlow],
    redis: [setUpRedis],
    data: [
      setUpDemoData,
      ...names.map(
        (name): Step =>
          (...given) =>
            setUpDataset(name, ...given),
      ),
    ],
  };
  const chosen = Object.entries(steps).filter(([name]) => only?.includes(name) ?? true);
  const findings: Finding[] = [];
  for (const step of chosen.flatMap(([, list]) => list)) {
    const start = performance.now();
    const finding = await step(settings, (what) => console.log(`...  ${what}`));
    console.log(describe(finding, (performance.now() - start) / 1000));
    findings.push(finding);
  }
  return findings.every(({ status }) => status !== "missing");
}

async function setUpTensorFlow(settings: Settings, say: (what: string) => void): Promise<Finding> {
  const subject = "TensorFlow";
  try {
    const { version, gpu, folder, failures } = await installTensorFlow(settings, say);
    const found = `${version} on ${gpu ? "GPU" : "CPU"}, from ${folder}`;
    if (failures.length === 0) return { subject, status: "ok", found };
    return { subject, status: "warn", found, advice: `not taken: ${failures.join("; ")}` };
  } catch (error) {
    return {
      subject,
      status: "warn",
      found: `NO NATIVE TENSORFLOW: jobs will run on WebAssembly, several times slower. ${toAppError(error).message}`,
      advice:
        "make pip or pypi.org reachable and g++ installed, or name a folder with libtensorflow in TENSORFLOW_LIB_DIR; then npm run setup",
    };
  }
}

/** Fashion-MNIST; where it can't be had, MNIST, which the demo then uses. */
async function setUpDemoData(settings: Settings, say: (what: string) => void): Promise<Finding> {
  const wanted = await setUpDataset("fashion-mnist", settings, say);
  if (wanted.status === "ok") return wanted;
  const other = await setUpDataset("mnist", settings, say);
  if (other.status !== "ok") return { ...wanted, status: "warn" };
  const found = `NO FASHION-MNIST: the demo will use MNIST, from ${other.found}. ${wanted.found}`;
  return { ...wanted, status: "warn", found };
}
