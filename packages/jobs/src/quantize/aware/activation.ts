import { AppError } from "@whittle/contracts";
import { tf } from "@whittle/engine";
import { learnedStep, straightThrough, type Levels } from "./fake-quantize.ts";

type LayerArgs = ConstructorParameters<typeof tf.layers.Layer>[0];

/** Gives its input as it is after quantization. It learns its step where it is trainable. */
export class FakeQuantize extends tf.layers.Layer {
  static readonly className = "FakeQuantize";
  readonly #start: number;
  readonly #levels: Levels;
  #logStep?: ReturnType<tf.layers.Layer["addWeight"]>;

  /** @param args `step`: the one to begin with */
  constructor(args: LayerArgs & Levels & { step: number }) {
    super(args);
    this.supportsMasking = true;
    this.#start = args.step;
    this.#levels = { low: args.low, high: args.high };
  }

  override build(inputShape: tf.Shape): void {
    const initializer = tf.initializers.constant({ value: Math.log(this.#start) });
    this.#logStep = this.addWeight("step", [], "float32", initializer);
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [input] = [inputs].flat();
    if (!input) throw new AppError("internal", `${this.name} needs an input`);
    const ofSample = input.size / (input.shape[0] || 1);
    const quantizer = this.trainable ? learnedStep : straightThrough;
    return quantizer(input, this.step(), this.#levels, ofSample);
  }

  /** As it is now, a scalar; may be part of a training step. */
  step(): tf.Tensor {
    return tf.exp(this.#logStep?.read() ?? Number.NaN);
  }

  override getConfig() {
    return { ...super.getConfig(), step: this.#start, ...this.#levels };
  }
}

tf.serialization.registerClass(FakeQuantize);
