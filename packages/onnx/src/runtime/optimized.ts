import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeModel, type OnnxModel } from "../proto/model.ts";
import { createSession, type SessionOptions } from "./session.ts";

/** The model as ONNX Runtime has rewritten it on this machine. @throws AppError `corrupt` when it does not load. */
export async function optimizedModel(
  model: Uint8Array,
  options: Pick<SessionOptions, "optimization"> = {},
): Promise<OnnxModel> {
  const folder = await mkdtemp(join(tmpdir(), "whittle-onnx-"));
  try {
    const path = join(folder, "optimized.onnx");
    const session = await createSession(model, { ...options, optimizedModelPath: path });
    await session.release();
    return decodeModel(await readFile(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
