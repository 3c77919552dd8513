import { atLeast, atMost, told, type Check } from "../../../bench.ts";
import type { Case, Laboratory, ModelSpec } from "../laboratory.ts";
import { accuracyOf, gzipBytes, points, speedUps } from "../measure.ts";

/** From here on a model is more than its graph, and int8 must show in its size. */
const largeModel = 1e6;
/** Two runs of one model differ by this much, so that from here on one is as fast as the other. */
const asFast = 0.95;
const calibrationSamples = 512;

interface Int8Case {
  name: string;
  model: ModelSpec;
  /** Points of accuracy that int8 may cost. */
  drop: number;
  /** Accuracy that the int8 model must have. */
  accuracy?: number;
  long?: boolean;
}

/** Static int8 by the `quantize` job, and by ONNX Runtime's quantizer on the same float model and calibration samples. */
export function int8({ name, model, drop, accuracy, long = false }: Int8Case): Case {
  const path = `compress/${name}`;
  return {
    name,
    long,
    async run(laboratory) {
      const float = await laboratory.train(model);
      const calibration = { samples: calibrationSamples };
      const own = await laboratory.run("quantize", { model: float.digest, calibration });
      const data = await laboratory.data(model.dataset);
      const before = await accuracyOf(float.onnx, data);
      const after = await accuracyOf(own.onnx, data);
      const pair = { own: own.onnx, inputShape: data.inputShape, rounds: laboratory.rounds };
      const checks = [
        told(`${path}/float32/accuracy`, before),
        told(`${path}/float32/bytes`, float.onnx.byteLength),
        accuracy === undefined
          ? told(`${path}/int8/accuracy`, after)
          : atLeast(`${path}/int8/accuracy`, after, accuracy),
        atMost(`${path}/int8/drop-points`, points(before, after), drop),
        told(`${path}/int8/drop-mcnemar-p`, own.metrics.comparison?.mcNemar.pValue ?? Number.NaN),
        sizeRatio(`${path}/int8/size-ratio`, float.onnx, own.onnx),
        told(`${path}/int8/gzip-ratio`, gzipBytes(float.onnx) / gzipBytes(own.onnx)),
        ...(await speedUps(`${path}/int8/speed-up`, { ...pair, other: float.onnx })),
      ];
      const rivals = await quantizeBeside(laboratory, float.onnx, model.dataset);
      for (const [calibrator, rival] of Object.entries(rivals)) {
        const side = `${path}/onnxruntime-${calibrator}`;
        checks.push(
          told(`${side}/drop-points`, points(before, await accuracyOf(rival, data))),
          told(`${side}/size-ratio`, float.onnx.byteLength / rival.byteLength),
        );
      }
      const [rival] = Object.values(rivals);
      if (!rival) return checks;
      const isAsFast = (at: string, value: number): Check => atLeast(at, value, asFast);
      checks.push(...(await speedUps(`${path}/int8/speed-vs-onnxruntime`, { ...pair, other: rival }, isAsFast)));
      return checks;
    },
  };
}

/** What ONNX Runtime's quantizer makes of a model, by calibration; nothing where it isn't there. */
async function quantizeBeside(
  { rivals, data, say }: Laboratory,
  model: Uint8Array,
  dataset: string,
): Promise<Record<string, Uint8Array>> {
  const made: Record<string, Uint8Array> = {};
  for (const calibration of ["minmax", "entropy"] as const) {
    if (!rivals.quantize) continue;
    say(`  ONNX Runtime's quantizer: ${calibration}`);
    made[calibration] = await rivals.quantize({
      model,
      data: await data(dataset),
      calibration,
      samples: calibrationSamples,
    });
  }
  return made;
}

function sizeRatio(name: string, float: Uint8Array, int8Model: Uint8Array): Check {
  const ratio = float.byteLength / int8Model.byteLength;
  return float.byteLength > largeModel ? atLeast(name, ratio, 3.8) : told(name, ratio);
}
