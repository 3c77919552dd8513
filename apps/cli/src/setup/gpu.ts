import { command } from "./command.ts";

/** The NVIDIA GPUs that the driver shows, by name; none where there is no driver. */
export async function nvidiaGpus(): Promise<string[]> {
  const query = ["--query-gpu=name", "--format=csv,noheader"];
  const output = await command("nvidia-smi", query, { timeoutSeconds: 20 }).catch(() => "");
  return output.split("\n").filter((line) => line.trim() !== "");
}
