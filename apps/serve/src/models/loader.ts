import { toAppError, type AppError } from "@whittle/contracts";
import type { ArtifactStore } from "@whittle/store";
import { requireOnnx, type Servable, type ServableSource } from "../engine/servable.ts";

/** As TensorFlow Serving names them. END with an error: it could not be loaded. */
export type VersionState = "LOADING" | "AVAILABLE" | "UNLOADING" | "END";

export interface VersionStatus {
  name: string;
  version: number;
  state: VersionState;
  error?: AppError;
}

interface Entry {
  status: VersionStatus;
  servable: Promise<Servable>;
  holders: number;
  failedAt?: number;
}

/** How long a version that could not be loaded is left alone. */
const RETRY_MS = 30_000;

/** Loads versions from the store, each once however many hold it, and unloads those that nobody holds any more. */
export class Loader {
  readonly #store: ArtifactStore;
  readonly #load: (source: ServableSource) => Promise<Servable>;
  readonly #entries = new Map<string, Entry>();

  constructor(store: ArtifactStore, load: (source: ServableSource) => Promise<Servable>) {
    this.#store = store;
    this.#load = load;
  }

  /**
   * Loads a version, or joins those that hold it already; every `hold` that succeeds needs a {@link letGo}.
   * @throws AppError why it can't be loaded; for a while it is not tried again.
   */
  async hold(name: string, version: number): Promise<Servable> {
    const entry = this.#entry(name, version);
    entry.holders += 1;
    return entry.servable;
  }

  /** Unloads a version when it was the last to hold it, after its requests are answered. */
  async letGo(servable: Servable): Promise<void> {
    const entry = this.#entries.get(`${servable.name}@${servable.version}`);
    if (entry === undefined) return;
    entry.holders -= 1;
    if (entry.holders > 0) return;
    entry.status.state = "UNLOADING";
    await servable.retire();
    entry.status.state = "END";
  }

  /** Everything that was ever loaded, with what became of it. */
  statuses(): VersionStatus[] {
    return [...this.#entries.values()].map(({ status }) => status);
  }

  #entry(name: string, version: number): Entry {
    const key = `${name}@${version}`;
    const known = this.#entries.get(key);
    if (known && canJoin(known)) return known;
    const status: VersionStatus = { name, version, state: "LOADING" };
    const entry: Entry = { status, servable: this.#open(name, version), holders: 0 };
    entry.servable.then(
      () => {
        status.state = "AVAILABLE";
      },
      (error: unknown) => {
        Object.assign(status, { state: "END", error: toAppError(error) });
        entry.failedAt = Date.now();
      },
    );
    this.#entries.set(key, entry);
    return entry;
  }

  async #open(name: string, version: number): Promise<Servable> {
    const { digest } = await this.#store.version(name, version);
    const manifest = await this.#store.manifest(digest);
    requireOnnx(manifest, name, version);
    const read = () => this.#store.readFile(manifest, "onnx");
    return this.#load({ name, version, digest, manifest, read });
  }
}

function canJoin({ status, failedAt }: Entry): boolean {
  if (failedAt !== undefined) return Date.now() - failedAt < RETRY_MS;
  return status.state === "LOADING" || status.state === "AVAILABLE";
}
