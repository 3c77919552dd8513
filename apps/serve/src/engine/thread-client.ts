import type { Worker } from "node:worker_threads";
import { AppError, toAppError } from "@whittle/contracts";
import type { ModelSpecs, Tensors, ThreadReply, ThreadResult, ThreadTask } from "./messages.ts";

interface Waiting {
  resolve(result: ThreadResult): void;
  reject(error: AppError): void;
}

/** This side of an engine thread. When the thread ends, every request it still owed fails and `onEnd` is called once. */
export class ThreadClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #failure: AppError | undefined;

  constructor(worker: Worker, onEnd: (failure: AppError) => void) {
    this.#worker = worker;
    worker.on("message", (reply: ThreadReply) => this.#settle(reply));
    worker.on("error", (error) => {
      this.#failure = new AppError("internal", `an inference thread failed: ${error.message}`, { cause: error });
    });
    worker.once("exit", () => {
      this.#failure ??= new AppError("internal", "an inference thread ended unexpectedly");
      for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
      this.#waiting.clear();
      onEnd(this.#failure);
    });
  }

  get alive(): boolean {
    return this.#failure === undefined;
  }

  /** Loads a model and runs it once. */
  async load(key: string, model: Uint8Array): Promise<ModelSpecs> {
    const result = await this.#request({ type: "load", key, model });
    if (result.type !== "loaded") throw unexpected(result);
    return result.specs;
  }

  async run(key: string, inputs: Tensors): Promise<Tensors> {
    const result = await this.#request({ type: "run", key, inputs });
    if (result.type !== "ran") throw unexpected(result);
    return result.outputs;
  }

  async release(key: string): Promise<void> {
    await this.#request({ type: "release", key });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #request(task: ThreadTask): Promise<ThreadResult> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#requests += 1;
    const id = this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...task }, []);
    });
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("result" in reply) waiting?.resolve(reply.result);
    else waiting?.reject(toAppError(reply.error));
  }
}

function unexpected(result: ThreadResult): AppError {
  return new AppError("internal", `an inference thread answered "${result.type}" to something else`);
}
