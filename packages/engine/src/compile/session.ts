import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { NativeBinding, TensorMetadata } from "../runtime/native.ts";
import { savedModel } from "./graph-writer.ts";
import type { NodeDef } from "./messages.ts";

/** A graph that TensorFlow has loaded and can run. */
export class GraphSession {
  readonly #binding: NativeBinding;
  readonly #id: number;
  readonly #inputs: string;
  readonly #outputs: string;

  /**
   * @param inputs names of the placeholders, in the order in which they are fed.
   * @param outputs `name:output` of what {@link run} gives, in order.
   */
  constructor(binding: NativeBinding, nodes: NodeDef[], inputs: string[], outputs: string[]) {
    this.#binding = binding;
    this.#id = load(binding, nodes);
    this.#inputs = inputs.map((name) => `${name}:0`).join(",");
    this.#outputs = outputs.join(",");
  }

  /** @param handles of the inputs. @returns handles that the caller must delete. */
  run(handles: number[]): TensorMetadata[] {
    return this.#binding.runSavedModel(this.#id, handles, this.#inputs, this.#outputs);
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
