/**
 * What one writes without a serving app: JSON in and out, no checks, no batches, one session for each model. It has one thread, as ours
 * have: with as many as ONNX Runtime takes by itself it is slower, because they wait for work by spinning. Arguments: ONNX files, each of
 * which is asked for by its name. Sends its port, and the seconds that it has computed whenever it is asked.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";
import { createSession, type Session } from "@whittle/onnx/runtime";

const sessions = new Map<string, Session>();
for (const file of process.argv.slice(2)) {
  const session = await createSession(await readFile(file));
  sessions.set(`/${path.basename(file, ".onnx")}`, session);
}

const server = createServer(async (request, response) => {
  const { inputs }: { inputs: number[][] } = JSON.parse(await text(request));
  const data = Float32Array.from(inputs.flat());
  const feeds = { input: { shape: [inputs.length, 28, 28, 1], datatype: "FP32" as const, data } };
  const results = await sessions.get(request.url ?? "")?.run(feeds);
  const logits = Array.from(results?.["logits"]?.data ?? [], Number);
  const outputs = inputs.map((_input, row) => logits.slice(row * 10, (row + 1) * 10));
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ outputs }));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.(typeof address === "object" ? address?.port : undefined);
});
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1e6);
});
process.once("disconnect", () => process.exit());
