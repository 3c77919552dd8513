import type { OnnxModel } from "../proto/model.ts";
import { intAttribute } from "../proto/node.ts";
import { OUTPUT } from "./names.ts";

/**
 * The model without a Softmax at its end, so that it gives logits, of which classes and losses are taken here.
 * @returns undefined where it ends otherwise.
 */
export function withoutSoftmax(model: OnnxModel): OnnxModel | undefined {
  const { graph } = model;
  const readers = (name: string) => graph.node.filter(({ input }) => input.includes(name)).length;
  const producer = (name: string) => graph.node.find(({ output }) => output.includes(name));
  const last = producer(OUTPUT);
  const axis = last && intAttribute(last, "axis", -1);
  if (last?.opType !== "Softmax" || (axis !== -1 && axis !== 1)) return undefined;
  const [scores = ""] = last.input;
  const source = producer(scores);
  if (!source || readers(scores) > 1) return undefined;
  const node = graph.node
    .filter((each) => each !== last)
    .map((each) =>
      each === source ? { ...each, output: each.output.map((name) => (name === scores ? OUTPUT : name)) } : each,
    );
  return { ...model, graph: { ...graph, node } };
}
