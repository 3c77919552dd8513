import { AppError, toAppError } from "@whittle/contracts";
import type { ArtifactStore, ModelSummary } from "@whittle/store";
import type { Servable } from "../engine/servable.ts";
import type { Loader } from "./loader.ts";
import { DEFAULT_ALIAS, formatSelection, parseSelection, selectVersion, type Selection } from "./selector.ts";

export interface RegistryOptions {
  store: ArtifactStore;
  loader: Loader;
  /** Whether a model is loaded when it is first asked for. */
  onDemand: boolean;
  /** How many models are kept that were loaded that way; beyond it the one that was not used for longest is unloaded. */
  maxOnDemand: number;
  onProblem: (what: string, problem: AppError) => void;
}

/** Something that is to be served: it keeps to its alias, or to the newest version, whatever version that is. */
interface Want extends Selection {
  reference: string;
  /** Asked for by configuration or by name, not on demand. */
  pinned: boolean;
  usedAt: number;
  current?: Servable;
  failure?: AppError;
  following?: Promise<void>;
}

type ReadSummary = (name: string) => Promise<ModelSummary>;

/** What is served: which models are wanted, which version of each answers now, and how one follows the other. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #wants = new Map<string, Want>();
  /** Names that were unloaded by request and are not loaded on demand until somebody loads them. */
  readonly #unloaded = new Set<string>();

  constructor(options: RegistryOptions, references: readonly string[]) {
    this.#options = options;
    for (const reference of references) this.#add(parseSelection(reference), true);
  }

  /** Whether everything that was asked for by configuration or by name is served; what is not, with the reason. */
  get missing(): string[] {
    const missing = [...this.#wants.values()].filter(({ pinned, current }) => pinned && !current?.ready);
    return missing.map(({ reference, failure }) => `${reference}: ${failure?.message ?? "is being loaded"}`);
  }

  /** The versions that answer now. */
  get serving(): Servable[] {
    return [...new Set([...this.#wants.values()].flatMap(({ current }) => current ?? []))];
  }

  /** Looks at the store once and moves everything to the version that it should be at. Never throws. */
  async refresh(): Promise<void> {
    const summaries = new Map<string, Promise<ModelSummary>>();
    const read = (name: string) => {
      const summary = summaries.get(name) ?? this.#options.store.model(name);
      summaries.set(name, summary);
      return summary;
    };
    const following = [...this.#wants.values()].map((want) =>
      this.#follow(want, read)
        .catch((error: unknown) => this.#miss(want, toAppError(error)))
        .catch((error: unknown) => this.#report(want, toAppError(error))),
    );
    await Promise.all(following);
  }

  /**
   * Does `work` with the version that is meant, which stays loaded until it is done.
   * @throws AppError `not_found` when there is no such model or it may not be loaded; why it could not be loaded.
   */
  async use<T>(selection: Selection, work: (servable: Servable) => Promise<T> | T): Promise<T> {
    const want = this.#find(selection) ?? this.#onDemand(selection);
    want.usedAt = performance.now();
    if (!want.current) await this.#admit(want);
    const servable = want.current;
    if (!servable) throw new AppError("unavailable", `${want.reference} was unloaded: try again`);
    servable.enter();
    try {
      return await work(servable);
    } finally {
      servable.leave();
    }
  }

  /**
   * Whether the version that is meant can answer now. Asking for a model that may be loaded on demand begins to load it.
   * @throws AppError `not_found` when the store has no such model.
   */
  async isReady(selection: Selection): Promise<boolean> {
    const want = this.#find(selection);
    if (want?.current) return want.current.ready;
    selectVersion(await this.#options.store.model(selection.name), selection.selector);
    if (!this.#unloaded.has(selection.name) && (want || this.#options.onDemand))
      void this.use(selection, () => {}).catch(() => {});
    return false;
  }

  /** Loads a model and keeps it. @throws AppError why it can't be loaded. */
  async load(selection: Selection): Promise<void> {
    this.#unloaded.delete(selection.name);
    const known = this.#wants.get(formatSelection(selection));
    const want = known ?? this.#add(selection, false);
    await this.#admit(want);
    want.pinned = true;
  }

  /** Unloads a model, or with an alias or a version only that; afterwards it is not loaded on demand. */
  async unload(selection: Selection): Promise<void> {
    const wants = [...this.#wants.values()].filter(
      (want) =>
        want.name === selection.name &&
        (selection.selector.kind === "default" || want.reference === formatSelection(selection)),
    );
    if (wants.length === 0) throw new AppError("not_found", `${formatSelection(selection)} is not loaded`);
    if (selection.selector.kind === "default") this.#unloaded.add(selection.name);
    await Promise.all(wants.map((want) => this.#drop(want)));
  }

  #add(selection: Selection, pinned: boolean): Want {
    const reference = formatSelection(selection);
    const want: Want = { ...selection, reference, pinned, usedAt: performance.now() };
    this.#wants.set(reference, want);
    return want;
  }

  /** What is served already under this or another name. */
  #find(selection: Selection): Want | undefined {
    const { name, selector } = selection;
    const exact = this.#wants.get(formatSelection(selection));
    if (exact || selector.kind === "alias") return exact;
    if (selector.kind === "default") return this.#wants.get(`${name}@${DEFAULT_ALIAS}`);
    return [...this.#wants.values()].find(
      ({ current }) => current?.name === name && current.version === selector.version,
    );
  }

  #onDemand(selection: Selection): Want {
    const { name } = selection;
    if (this.#options.onDemand && !this.#unloaded.has(name)) return this.#add(selection, false);
    const loaded = this.serving.map((servable) => `${servable.name}@${servable.version}`).join(", ") || "nothing";
    throw new AppError("not_found", `${formatSelection(selection)} is not loaded; loaded: ${loaded}`);
  }

  /** Brings a want to its first version; one that was not asked for before is forgotten when that fails. */
  async #admit(want: Want): Promise<void> {
    try {
      await this.#follow(want, (name) => this.#options.store.model(name));
    } catch (error) {
      if (!want.pinned && !want.current) this.#wants.delete(want.reference);
      throw error;
    }
    if (!want.pinned) await this.#evict(want);
  }

  async #evict(newcomer: Want): Promise<void> {
    const others = [...this.#wants.values()].filter((want) => !want.pinned && want !== newcomer);
    const oldest = others.toSorted((a, b) => a.usedAt - b.usedAt)[0];
    if (oldest && others.length >= this.#options.maxOnDemand) void this.#drop(oldest);
  }

  async #drop(want: Want): Promise<void> {
    this.#wants.delete(want.reference);
    const { current } = want;
    delete want.current;
    if (current) await this.#options.loader.letGo(current);
    await want.following?.catch(() => {});
  }

  #follow(want: Want, read: ReadSummary): Promise<void> {
    want.following ??= this.#move(want, read).finally(() => delete want.following);
    return want.following;
  }

  /** Loads the version that the want should be at; the old one answers until the new one can. */
  async #move(want: Want, read: ReadSummary): Promise<void> {
    const { loader } = this.#options;
    const isWanted = () => this.#wants.get(want.reference) === want;
    const version = selectVersion(await read(want.name), want.selector);
    const previous = want.current;
    if (previous?.version === version || !isWanted()) return;
    const next = await loader.hold(want.name, version);
    if (!isWanted()) return loader.letGo(next);
    want.current = next;
    delete want.failure;
    if (previous) void loader.letGo(previous);
  }

  /** What can't be followed stays as it is; what was deleted is unloaded, and forgotten unless it is to be kept. */
  async #miss(want: Want, problem: AppError): Promise<void> {
    this.#report(want, problem);
    const { current, name } = want;
    if (problem.code !== "not_found" || !current) return;
    if (!(await this.#options.store.isDeleted(name, current.version)) || want.current !== current) return;
    if (!want.pinned) return void this.#drop(want);
    delete want.current;
    void this.#options.loader.letGo(current);
  }

  /** Reports a problem once, not at every look at the store. */
  #report(want: Want, problem: AppError): void {
    if (want.failure?.message !== problem.message) this.#options.onProblem(want.reference, problem);
    want.failure = problem;
  }
}
