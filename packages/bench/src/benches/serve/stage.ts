import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { openStore, type ArtifactStore } from "@whittle/store";
import { modelNames, untrained } from "./models.ts";
import { startBare, startGenerator, startServe, type Generator, type Program, type ServeProgram } from "./programs.ts";

/** CNNs that come and go while another model is asked: the alias points to one of two versions; `visitor` is loaded and unloaded. */
export const neighbour = { name: "neighbour", alias: "live", versions: [1, 2], visitor: "visitor" } as const;

/** A store of its own with the models, and the programs that serve them, each started when it is first asked for. */
export interface Stage {
  store: ArtifactStore;
  generator: Generator;
  /** The serving app with these settings. */
  serve: (settings?: Record<string, string>) => Promise<ServeProgram>;
  bare: () => Promise<Program>;
  close: () => Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "whittle-bench-"));
  const store = await openStore(path.join(folder, "store"));
  const files = await publishModels(store, folder);
  const programs = new Map<string, Promise<ServeProgram>>();
  const generator = startGenerator();
  let bare: Promise<Program> | undefined;
  return {
    store,
    generator,
    serve: (settings = {}) => {
      const key = JSON.stringify(settings);
      const own = { WHITTLE_STORE: store.location, WHITTLE_SERVE_MODELS: modelNames.join(",") };
      const program = programs.get(key) ?? startServe({ ...own, ...settings });
      programs.set(key, program);
      return program;
    },
    bare: () => (bare ??= startBare(files)),
    close: async () => {
      const started = await Promise.allSettled([...programs.values(), ...(bare ? [bare] : [])]);
      for (const program of started) if (program.status === "fulfilled") await program.value.close();
      await generator.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @returns the same models as files. */
async function publishModels(store: ArtifactStore, folder: string): Promise<string[]> {
  const actor = "bench";
  const { name: neighbourName, alias, versions, visitor } = neighbour;
  for (const version of versions) {
    const to = { name: neighbourName, alias, jobId: `${neighbourName}-${version}`, actor };
    await store.publish(await untrained("cnn", 10 + version), to);
  }
  await store.publish(await untrained("cnn", 20), { name: visitor, jobId: visitor, actor });
  const files: string[] = [];
  for (const name of modelNames) {
    const draft = await untrained(name, 1);
    await store.publish(draft, { name, jobId: name, actor });
    const file = path.join(folder, `${name}.onnx`);
    await writeFile(file, draft.files[0]?.bytes ?? "");
    files.push(file);
  }
  return files;
}
