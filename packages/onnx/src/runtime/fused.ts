import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeModel } from "../proto/model.ts";
import { createSession } from "./session.ts";

/** How often each operator occurs in the graph that ONNX Runtime really runs on this machine. */
export async function fusedOperators(model: Uint8Array): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "whittle-onnx-"));
  try {
    const path = join(folder, "optimized.onnx");
    const session = await createSession(model, { optimizedModelPath: path });
    await session.release();
    const counts: Record<string, number> = {};
    for (const { opType } of decodeModel(await readFile(path)).graph.node) counts[opType] = (counts[opType] ?? 0) + 1;
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
