import { fit, initEngine, type FitOptions, type RawSamples } from "@whittle/engine";
import { buildModel, firstSamples, loadDataset, type Dataset, type Split } from "@whittle/zoo";
import { told, type Bench } from "../../bench.ts";
import { median } from "../../statistics.ts";

const mlp = { family: "mlp", params: { hidden: [1024, 1024] } };
const cnn = { family: "cnn", params: { filters: [64, 128], dense: 256, dropout: 0 } };
const resnet = { family: "resnet", params: { depth: 8, filters: 32 } };

/** Models of Fashion-MNIST, and how many samples take some tenths of a second. */
const cases = [
  { name: "mlp/b128", model: { family: "mlp", params: { hidden: [128] } }, batchSize: 128, samples: 25_600 },
  { name: "mlp-large/b32", model: mlp, batchSize: 32, samples: 6_400 },
  { name: "mlp-large/b128", model: mlp, batchSize: 128, samples: 12_800 },
  { name: "mlp-large/b512", model: mlp, batchSize: 512, samples: 25_600 },
  { name: "cnn-large/b128", model: cnn, batchSize: 128, samples: 1_280 },
  { name: "resnet/b128", model: resnet, batchSize: 128, samples: 1_280 },
];

const accuracy = "accuracy";
export const caseNames = [...cases.map(({ name }) => name), accuracy];

const precisions = ["float32", "mixed_bfloat16"] as const;
type Precision = (typeof precisions)[number];
type Settings = Pick<FitOptions, "batchSize" | "epochs" | "precision">;

/**
 * Whittle's training loop with matrices multiplied in bfloat16, held against itself in float32: the samples per second, in turns and as a
 * ratio within each round; then the accuracy of the large MLP on all test samples after five epochs with all training samples.
 */
export const bench: Bench = async ({ rounds, only = "", say }) => {
  const { version, threads } = await initEngine({ warn: say });
  say(`TensorFlow ${version}, ${threads} threads`);
  const data = await loadDataset("fashion-mnist");
  const checks = [];
  for (const { name, model, batchSize, samples } of cases.filter((each) => each.name.includes(only))) {
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const pace = async (precision: Precision) => {
        const { epochs } = await train(data, model, firstSamples(data, { train: samples }).train, {
          batchSize,
          epochs: 3,
          precision,
        });
        return samples / Math.min(...epochs.slice(1).map(({ seconds }) => seconds));
      };
      const float32 = await pace("float32");
      const mixed = await pace("mixed_bfloat16");
      ratios.push(mixed / float32);
      say(
        `round ${round + 1}/${rounds} ${name}: float32 ${float32.toFixed(0)}/s, mixed_bfloat16 ${mixed.toFixed(0)}/s`,
      );
    }
    checks.push(told(`precision/${name}/vs-float32`, median(ratios)));
  }
  if (!accuracy.includes(only)) return checks;
  for (const precision of precisions) {
    const { epochs } = await train(data, mlp, data.train, { batchSize: 128, epochs: 5, precision }, data.test);
    checks.push(told(`precision/mlp-large/accuracy/${precision}`, epochs.at(-1)?.valAccuracy ?? Number.NaN));
  }
  return checks;
};

/** @throws where this machine can't train in the precision. */
async function train(
  data: Dataset,
  { family, params }: { family: string; params: Record<string, unknown> },
  samples: Split,
  settings: Settings,
  test?: Split,
) {
  const model = buildModel(family, params, { inputShape: data.inputShape, classes: data.labels.length, seed: 1 });
  const raw = ({ x: values }: Split): RawSamples => ({ values, shape: data.inputShape, ...data.preprocessing });
  const validation = test && { x: raw(test), y: test.y };
  const result = await fit(model, { x: raw(samples), y: samples.y, validation, restoreBest: false, ...settings });
  model.dispose();
  const { precision, reason } = result.execution;
  if (precision !== settings.precision)
    throw new Error(`This machine trained in ${precision}, not in ${settings.precision} (${reason})`);
  return result;
}
