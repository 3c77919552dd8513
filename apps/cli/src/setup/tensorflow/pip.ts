import { AppError } from "@whittle/contracts";
import { z } from "zod";
import { command } from "../command.ts";
import { installPackages } from "../system-packages.ts";

/** Only shared libraries are used, never Python code, so the files for any Python will do; 3.11's are asked for first. */
const pythons = ["3.11", "3.12", "3.13"];

const architecture = process.arch === "arm64" ? "aarch64" : "x86_64";

/**
 * Runs `pip <verb>` with the machine's own index configuration, for one Python after another until the index has the files.
 * @throws AppError `unavailable` when pip is missing or finds nothing.
 */
export async function pip(verb: "download" | "install", args: string[], timeoutSeconds: number): Promise<void> {
  if (!(await hasPip())) throw new AppError("unavailable", "there is no pip (apt-get install python3-pip)");
  const failures: AppError[] = [];
  for (const [index, python] of pythons.entries()) {
    const patience = ["--retries", index === 0 ? "1" : "0", "--timeout", "10"];
    const common = ["-m", "pip", "--disable-pip-version-check", "--no-input", ...patience, verb];
    try {
      await command("python3", [...common, ...filesFor(python), ...args], { timeoutSeconds });
      return;
    } catch (error) {
      failures.push(explain(error));
      if (failures.at(-1)?.code === "timeout") break; // The others would wait as long.
    }
  }
  throw failures[0] ?? new AppError("internal", "no Python to ask for");
}

/** Installs pip before `fill`, where that is allowed; where there is a pip already, `fill` has failed with it before. */
export function withInstalledPip(fill: (folder: string) => Promise<void>): (folder: string) => Promise<void> {
  return async (folder) => {
    if (await hasPip()) throw new AppError("unavailable", "it is installed already");
    await installPackages("python3-pip");
    await fill(folder);
  };
}

function hasPip(): Promise<boolean> {
  return command("python3", ["-m", "pip", "--version"]).then(
    () => true,
    () => false,
  );
}

function filesFor(python: string): string[] {
  const platforms = ["2_17", "2_27", "2_28"].map((glibc) => `--platform=manylinux_${glibc}_${architecture}`);
  return ["--only-binary=:all:", `--python-version=${python}`, "--implementation=cp", ...platforms];
}

/** pip's last line says "no matching distribution" also when it has reached no index. */
function explain(error: unknown): AppError {
  const { cause, message } = z.object({ cause: z.unknown(), message: z.string() }).parse(error);
  const { data } = z.object({ stderr: z.string() }).safeParse(cause);
  if (data && /timed out/i.test(data.stderr)) return new AppError("timeout", "pip's index does not answer", { cause });
  const unreached = data && /NewConnectionError|NameResolutionError/.test(data.stderr);
  return new AppError("unavailable", unreached ? `${message}; an index could not be reached` : message, { cause });
}
