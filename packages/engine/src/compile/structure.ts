import { tf } from "../tf.ts";

/** Arrays and plain objects are looked into; everything else is a leaf. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A copy of nested arrays and plain objects with every tensor in it replaced; all else stays as it is. */
export function mapTensors<T>(tree: T, replace: (tensor: tf.Tensor) => tf.Tensor): T;
export function mapTensors(tree: unknown, replace: (tensor: tf.Tensor) => tf.Tensor): unknown {
  if (tree instanceof tf.Tensor) return replace(tree);
  if (Array.isArray(tree)) return tree.map((item: unknown) => mapTensors(item, replace));
  if (!isPlain(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, mapTensors(item, replace)]));
}

const identities = new WeakMap<object, number>();
let nextIdentity = 0;

function identity(value: object): number {
  const known = identities.get(value);
  if (known !== undefined) return known;
  identities.set(value, nextIdentity);
  return nextIdentity++;
}

/**
 * Splits arguments into the tensors that are fed to the graph and a key of all else that the graph depends on: structure, shapes,
 * dtypes and JavaScript values. Variables, class instances and functions count by identity.
 */
export function describe(args: readonly unknown[]): { key: string; tensors: tf.Tensor[] } {
  const tensors: tf.Tensor[] = [];
  const key = args.map((arg) => describeValue(arg, tensors)).join(";");
  return { key, tensors };
}

function describeValue(value: unknown, tensors: tf.Tensor[]): string {
  if (value instanceof tf.Tensor) {
    if (value instanceof tf.Variable) return `v${value.id}`;
    tensors.push(value);
    return `${value.dtype}[${value.shape.join(",")}]`;
  }
  if (Array.isArray(value)) return `[${value.map((item: unknown) => describeValue(item, tensors)).join(";")}]`;
  if (isPlain(value)) {
    const entries = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}:${describeValue(item, tensors)}`,
    );
    return `{${entries.join(";")}}`;
  }
  if (typeof value === "object" && value !== null) return `o${identity(value)}`;
  if (typeof value === "function") return `f${identity(value)}`;
  return typeof value === "string" ? JSON.stringify(value) : `${typeof value} ${String(value)}`;
}
