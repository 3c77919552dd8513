/** Replaces properties of objects and puts them back, in reverse order. */
export class Patches {
  readonly #undo: (() => void)[] = [];

  set<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    const own = Object.getOwnPropertyDescriptor(target, key);
    this.#undo.push(() => {
      if (own) Object.defineProperty(target, key, own);
      else Reflect.deleteProperty(target, key);
    });
    Object.defineProperty(target, key, {
      value,
      configurable: true,
      writable: true,
      enumerable: own?.enumerable ?? true,
    });
  }

  restore(): void {
    for (const undo of this.#undo.splice(0).toReversed()) undo();
  }
}
