import { attr, DataType, type Put } from "./graph-writer.ts";
import type { AttrValue } from "./messages.ts";
import { spec, type Call } from "./program.ts";

const multiplying = new Set([
  "MatMul",
  "BatchMatMul",
  "BatchMatMulV2",
  "Conv2D",
  "Conv2DBackpropFilter",
  "Conv2DBackpropInput",
]);

/** Whether it is a product of float32 matrices or a convolution, for which processors have fast units of lower precision. */
export function isMultiplication({ op, outputs }: Call): boolean {
  return multiplying.has(op) && outputs.every(({ dtype }) => dtype === DataType.float);
}

/** Writes multiplications in bfloat16: what goes in is cast, once for all that take it, and what comes out is cast back. */
export class Narrow {
  readonly #put: Put;
  readonly #cast = new Map<string, string>();

  constructor(put: Put) {
    this.#put = put;
  }

  /** @param inputs `name:output` of the call's inputs. */
  multiply(name: string, call: Call, inputs: string[], attrs: Record<string, AttrValue>): void {
    const narrow = inputs.map((input, at) => {
      const from = call.inputs[at];
      return from && spec(from).dtype === DataType.float ? this.#narrowed(input) : input;
    });
    const product = this.#put(`${name}_bfloat16`, call.op, narrow, { ...attrs, T: attr.type(DataType.bfloat16) });
    this.#put(name, "Cast", [`${product}:0`], casting(DataType.bfloat16, DataType.float));
  }

  #narrowed(input: string): string {
    const known = this.#cast.get(input);
    if (known !== undefined) return known;
    const name = `${input.replace(":", "_")}_narrow`;
    const cast = `${this.#put(name, "Cast", [input], casting(DataType.float, DataType.bfloat16))}:0`;
    this.#cast.set(input, cast);
    return cast;
  }
}

function casting(from: number, to: number): Record<string, AttrValue> {
  return { SrcT: attr.type(from), DstT: attr.type(to), Truncate: attr.bool(false) };
}
