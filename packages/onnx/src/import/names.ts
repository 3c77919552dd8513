import type { OnnxModel } from "../proto/model.ts";

/** The names of a classifier's input and output in every model here. */
export const INPUT = "input";
export const OUTPUT = "logits";

/**
 * Gives input and output their usual names and every other tensor one without a slash, because what quantization adds to a graph is named
 * after the tensors, `x/scale`; and every node a name of its own, by which layers are told.
 */
export function tidyNames(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const [tensors, nodes] = [new Names([INPUT, OUTPUT]), new Names()];
  const renamed = new Map<string, string>([
    ["", ""],
    [graph.input[0]?.name ?? "", INPUT],
    [graph.output[0]?.name ?? "", OUTPUT],
  ]);
  const of = (name: string) => {
    const known = renamed.get(name) ?? tensors.take(name.replaceAll("/", "."));
    renamed.set(name, known);
    return known;
  };
  const node = graph.node.map((each) => ({
    ...each,
    name: nodes.take(each.name || `${each.opType} ${each.output[0]}`),
    input: each.input.map(of),
    output: each.output.map(of),
  }));
  const named = <T extends { name: string }>(each: T): T => ({ ...each, name: of(each.name) });
  const initializer = graph.initializer.map(named);
  const [input, output] = [graph.input.map(named), graph.output.map(named)];
  // Declared shapes may be of another batch: see observeShapes.
  return { ...model, graph: { ...graph, node, initializer, input, output, valueInfo: [] } };
}

/** Names that are given once. */
class Names {
  readonly #taken: Set<string>;

  constructor(taken: readonly string[] = []) {
    this.#taken = new Set(taken);
  }

  /** The name itself, or with the first number behind it that makes it a new one. */
  take(name: string): string {
    let free = name;
    for (let next = 2; this.#taken.has(free); next++) free = `${name}_${next}`;
    this.#taken.add(free);
    return free;
  }
}
