import { AppError, type TensorSpec } from "@whittle/contracts";
import type { Tensors } from "../engine/messages.ts";

/**
 * Checks that inputs are named as the model names them, each once.
 * @throws AppError `invalid_request` saying which inputs there are.
 */
export function checkNames(names: readonly string[], specs: readonly TensorSpec[]): void {
  const there = specs.map(({ name }) => name);
  const fail = (message: string) =>
    new AppError("invalid_request", `${message}; the model takes ${specs.map(describe).join(", ")}`, {
      issues: [{ path: "inputs", message }],
    });
  const unknown = names.find((name) => !there.includes(name));
  if (unknown !== undefined) throw fail(`there is no input "${unknown}"`);
  const missing = there.find((name) => !names.includes(name));
  if (missing !== undefined) throw fail(`input "${missing}" is missing`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw fail(`input "${twice}" is given twice`);
}

/** @throws AppError `invalid_request` saying what shape the model takes. */
export function checkShape(shape: readonly number[], spec: TensorSpec, path: string): void {
  const fits =
    shape.length === spec.shape.length && spec.shape.every((size, axis) => size === -1 || size === shape[axis]);
  if (fits) return;
  const message = `has shape [${shape.join(", ")}], must have [${spec.shape.join(", ")}] (-1: any size)`;
  throw new AppError("invalid_request", `${path} ${message}`, { issues: [{ path, message }] });
}

/**
 * Checks that there is at least one sample, and as many in every input.
 * @throws AppError `invalid_request`.
 */
export function checkRows(tensors: Tensors, specs: readonly TensorSpec[]): void {
  const batched = specs.filter(({ shape }) => shape[0] === -1);
  const rows = batched.map(({ name }) => tensors[name]?.shape[0] ?? 0);
  const empty = batched[rows.indexOf(0)];
  if (empty) throw new AppError("invalid_request", `input "${empty.name}" is empty: send at least one sample`);
  if (new Set(rows).size > 1) {
    const counts = batched.map(({ name }, index) => `${name} has ${rows[index]}`).join(", ");
    throw new AppError("invalid_request", `every input must have as many samples: ${counts}`);
  }
}

/** `x FP32 [-1, 784]` */
function describe({ name, datatype, shape }: TensorSpec): string {
  return `${name} ${datatype} [${shape.join(", ")}]`;
}
