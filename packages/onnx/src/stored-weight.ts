import type { GraphIndex } from "./graph-index.ts";
import type { Node } from "./proto/model.ts";
import { DataType, floatData, tensorData } from "./proto/tensor.ts";
import { unpackIntegers } from "./quantize/packed.ts";

/** A constant that a node reads, in whatever form the file holds it. */
export interface StoredWeight {
  /** Of the tensor that the file holds. */
  name: string;
  dims: readonly number[];
  dataType: number;
  /** The numbers as they are stored; read only when asked for. */
  values: () => ArrayLike<number>;
  /** Which of those numbers stand for 0: one, or one a channel; none means 0. */
  zero?: number[];
}

/** Whether a tensor follows from constants alone. */
export function isConstant(index: GraphIndex, name: string): boolean {
  if (index.constants.has(name)) return true;
  const inputs = index.producers.get(name)?.input.filter((each) => each !== "") ?? [];
  return inputs.length > 0 && inputs.every((each) => isConstant(index, each));
}

function numbers({ constants }: GraphIndex, name: string | undefined): number[] | undefined {
  const found = constants.get(name ?? "");
  return found && Array.from(tensorData(found), Number);
}

/** Float16 is given by its bits, of which zero has only the sign. */
function plain(index: GraphIndex, name: string): StoredWeight | undefined {
  const found = index.constants.get(name);
  if (!found) return undefined;
  const { dims, dataType } = found;
  const values = () => {
    const data = Array.from(tensorData(found), Number);
    return dataType === DataType.FLOAT16 ? data.map((bits) => bits & 0x7f_ff) : data;
  };
  return { name, dims, dataType, values };
}

/** Bit planes, from the Reshape that ends their unpacking. */
function packed(index: GraphIndex, last: Node): StoredWeight | undefined {
  const chain = new Map<string, Node>();
  let at: Node | undefined = last;
  for (; at && at.opType !== "BitShift"; at = index.producers.get(at.input[0] ?? "")) chain.set(at.opType, at);
  const planes = index.constants.get(at?.input[0] ?? "");
  const values = index.constants.get(chain.get("Mul")?.input[1] ?? "");
  if (!planes || !values) return undefined;
  const dims = numbers(index, last.input[1]) ?? [];
  const count = dims.reduce((product, size) => product * size, 1);
  const [offset = 0] = numbers(index, chain.get("Add")?.input[1]) ?? [];
  const unpack = () =>
    unpackIntegers({
      bits: planes.dims[0] ?? 0,
      planes: Uint8Array.from(tensorData(planes), Number),
      count,
      planeValues: [...floatData(values)],
      offset,
    });
  return { name: planes.name, dims, dataType: planes.dataType, values: unpack };
}

/** The constant behind a tensor: itself, or what it is cast, dequantized or unpacked from. */
export function storedWeight(index: GraphIndex, name: string): StoredWeight | undefined {
  const direct = plain(index, name);
  if (direct || !isConstant(index, name)) return direct;
  const producer = index.producers.get(name);
  if (producer?.opType === "Reshape") return packed(index, producer);
  const inner = storedWeight(index, producer?.input[0] ?? "");
  const zeroInput = { DequantizeLinear: 2, Sub: 1 }[producer?.opType ?? ""];
  const zero = zeroInput === undefined ? undefined : numbers(index, producer?.input[zeroInput]);
  return inner && { ...inner, ...(zero && { zero }) };
}
