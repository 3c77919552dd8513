import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { NativeBinding, TensorMetadata } from "../runtime/native.ts";
import { savedModel } from "./graph-writer.ts";
import type { NodeDef } from "./messages.ts";

/** A part of a graph that is run at once. */
export interface Entry {
  inputs: string;
  outputs: string;
  /** Whether the last output only says that what happens before it is done. */
  signals: boolean;
}

/**
 * @param inputs names of the placeholders, in the order in which they are fed.
 * @param outputs `name:output` of what a run gives, in order.
 * @param signal `name:output` of what is fetched besides, for what happens before it.
 */
export function entry(inputs: string[], outputs: string[], signal?: string): Entry {
  return {
    inputs: inputs.map((name) => `${name}:0`).join(","),
    outputs: [...outputs, ...(signal === undefined ? [] : [signal])].join(","),
    signals: signal !== undefined,
  };
}

/** A graph that TensorFlow has loaded and can run. Its variables last as long as it. */
export class GraphSession {
  readonly #binding: NativeBinding;
  readonly #id: number;

  constructor(binding: NativeBinding, nodes: NodeDef[]) {
    this.#binding = binding;
    this.#id = load(binding, nodes);
  }

  /** @param handles of the inputs. @returns handles that the caller must delete, without the signal's. */
  run({ inputs, outputs, signals }: Entry, handles: number[]): TensorMetadata[] {
    const made = this.#binding.runSavedModel(this.#id, handles, inputs, outputs);
    const signal = signals ? made.pop() : undefined;
    if (signal) this.#binding.deleteTensor(signal.id);
    return made;
  }

  close(): void {
    this.#binding.deleteSavedModel(this.#id);
  }
}

/** TensorFlow loads graphs from folders only; the folder isn't needed afterwards. */
function load(binding: NativeBinding, nodes: NodeDef[]): number {
  const folder = mkdtempSync(path.join(os.tmpdir(), "whittle-graph-"));
  try {
    mkdirSync(path.join(folder, "variables"));
    writeFileSync(path.join(folder, "saved_model.pb"), savedModel(nodes));
    return binding.loadSavedModel(folder, "serve");
  } finally {
    rmSync(folder, { recursive: true });
  }
}
