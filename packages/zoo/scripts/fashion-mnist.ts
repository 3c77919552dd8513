/**
 * Trains a family on Fashion-MNIST and prints each epoch, judged on a tenth of the training samples. With --test the end is judged on
 * the test samples as well, which no setting may be chosen by.
 *
 *   npx tsx packages/zoo/scripts/fashion-mnist.ts FAMILY FAMILY-PARAMETERS TRAINING-SETTINGS [--test]
 *   npx tsx packages/zoo/scripts/fashion-mnist.ts mlp '{"hidden": [128]}' '{"epochs": 6}' --test
 */
import { parse, trainingSettings } from "@whittle/contracts";
import { evaluate, fit, initEngine, splitIndices, tf } from "@whittle/engine";
import { familyName } from "../src/catalog.ts";
import { buildModel, loadDataset, toFloat, type Dataset, type Split } from "../src/index.ts";

const [family = "mlp", params = "{}", given = "{}", test] = process.argv.slice(2);
const settings = parse(trainingSettings, JSON.parse(given), "The settings");
await initEngine();
const data = await loadDataset("fashion-mnist");
const model = buildModel(parse(familyName, family, "The family"), JSON.parse(params), {
  inputShape: data.inputShape,
  classes: data.labels.length,
  seed: settings.seed,
});
const { train, validation } = splitIndices(data.train.count, settings.validationSplit, 0);
const samples = tensors(data, data.train);
const part = (indices: Int32Array) => ({
  x: tf.gather(samples.x, tf.tensor1d(indices, "int32")),
  y: tf.gather(samples.y, tf.tensor1d(indices, "int32")),
});

const started = process.cpuUsage();
const result = await fit(model, {
  ...settings,
  ...part(train),
  validation: part(validation),
  onEpoch: ({ epoch, loss, accuracy, valLoss, valAccuracy, learningRate, seconds }) =>
    console.log(
      JSON.stringify({ epoch, loss, accuracy, valLoss, valAccuracy, learningRate, seconds }, (_key, value: unknown) =>
        typeof value === "number" ? Number(value.toPrecision(4)) : value,
      ),
    ),
});
const { user, system } = process.cpuUsage(started);
const { steps, seconds, execution, bestEpoch } = result;
console.log(
  JSON.stringify({
    parameters: model.countParams(),
    steps,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    execution,
    bestEpoch,
  }),
);
if (test === "--test") {
  const held = tensors(data, data.test);
  console.log(JSON.stringify({ testAccuracy: (await evaluate(model, held.x, held.y)).accuracy }));
}

function tensors({ preprocessing, inputShape }: Dataset, split: Split): { x: tf.Tensor; y: tf.Tensor } {
  const x = tf.tensor(toFloat(split, preprocessing), [split.count, ...inputShape]);
  return { x, y: tf.tensor1d(split.y, "int32") };
}
