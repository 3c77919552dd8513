import { atLeast, atMost, told } from "../../../bench.ts";
import type { Case, Laboratory, ModelSpec } from "../laboratory.ts";
import { accuracyOf, gzipBytes, points, speedUps } from "../measure.ts";
import type { PruneRequest } from "../rivals.ts";

interface PruneCase {
  name: string;
  model: ModelSpec;
  amount: number;
  /** Epochs of fine-tuning in a whole run. */
  epochs: number;
}

const fineTuning = { batchSize: 128, learningRate: 0.0005 };

/**
 * A share of the channels removed by the `prune` job, fine-tuned, then int8; beside it PyTorch with a removal by L1 norm that is written for
 * this benchmark.
 */
export function structured({ name, model, amount, epochs: whole }: PruneCase): Case {
  const path = `compress/${name}`;
  return {
    name,
    async run(laboratory) {
      const base = await laboratory.train(model);
      const epochs = laboratory.epochs(whole, "fine-tuning");
      const job = { model: base.digest, method: "structured", amount, fineTune: fineTune(epochs) };
      const own = await laboratory.run("prune", job);
      const int8 = await laboratory.run("quantize", { model: own.digest });
      const data = await laboratory.data(model.dataset);
      const before = await accuracyOf(base.onnx, data);
      const torch = await pruneBeside(laboratory, base.onnx, {
        data,
        method: "structured",
        amount,
        epochs,
        ...of(model),
      });
      const pair = { other: base.onnx, inputShape: data.inputShape, rounds: laboratory.rounds };
      return [
        told(`${path}/whole/accuracy`, before),
        told(`${path}/fine-tuning-epochs`, epochs),
        atMost(`${path}/drop-points`, points(before, await accuracyOf(own.onnx, data)), 1),
        told(`${path}/drop-mcnemar-p`, own.metrics.comparison?.mcNemar.pValue ?? Number.NaN),
        told(`${path}/macs-ratio`, (base.metrics.macs ?? 0) / (own.metrics.macs ?? 0)),
        told(`${path}/size-ratio`, base.onnx.byteLength / own.onnx.byteLength),
        ...(await speedUps(`${path}/speed-up`, { ...pair, own: own.onnx }, (at, value) => atLeast(at, value, 2.5))),
        told(`${path}/int8/drop-points`, points(before, await accuracyOf(int8.onnx, data))),
        told(`${path}/int8/size-ratio`, base.onnx.byteLength / int8.onnx.byteLength),
        atLeast(`${path}/int8/gzip-ratio`, gzipBytes(base.onnx) / gzipBytes(int8.onnx), 10),
        ...(await speedUps(`${path}/int8/speed-up`, { ...pair, own: int8.onnx })),
        ...(torch ? [told(`${path}/pytorch/drop-points`, points(before, await accuracyOf(torch, data)))] : []),
        ...(torch ? [told(`${path}/pytorch/size-ratio`, base.onnx.byteLength / torch.byteLength)] : []),
      ];
    },
  };
}

/** Single weights to zero, fine-tuned, then int8; beside it `torch.nn.utils.prune` and ONNX Runtime's quantizer. */
export function unstructuredInt8({ name, model, amount, epochs: whole }: PruneCase): Case {
  const path = `compress/${name}`;
  return {
    name,
    async run(laboratory) {
      const base = await laboratory.train(model);
      const epochs = laboratory.epochs(whole, "fine-tuning");
      const pruned = await laboratory.run("prune", { model: base.digest, amount, fineTune: fineTune(epochs) });
      const own = await laboratory.run("quantize", { model: pruned.digest });
      const data = await laboratory.data(model.dataset);
      const before = await accuracyOf(base.onnx, data);
      const ratio = (small: Uint8Array): number => gzipBytes(base.onnx) / gzipBytes(small);
      const drop = async (small: Uint8Array): Promise<number> => points(before, await accuracyOf(small, data));
      const checks = [
        told(`${path}/float32/accuracy`, before),
        told(`${path}/fine-tuning-epochs`, epochs),
        told(`${path}/sparsity`, own.metrics.sparsity ?? 0),
        told(`${path}/pruned/drop-points`, await drop(pruned.onnx)),
        told(`${path}/pruned/gzip-ratio`, ratio(pruned.onnx)),
        atMost(`${path}/int8/drop-points`, await drop(own.onnx), 1),
        atLeast(`${path}/int8/gzip-ratio`, ratio(own.onnx), 10),
      ];
      const request = { data, method: "unstructured", amount, epochs, ...of(model) } as const;
      const torch = await pruneBeside(laboratory, base.onnx, request);
      if (!torch) return checks;
      checks.push(
        told(`${path}/pytorch/drop-points`, await drop(torch)),
        told(`${path}/pytorch/gzip-ratio`, ratio(torch)),
      );
      const { quantize } = laboratory.rivals;
      if (!quantize) return checks;
      const both = await quantize({ model: torch, data, calibration: "minmax", samples: 512 });
      const side = `${path}/pytorch-onnxruntime`;
      return [...checks, told(`${side}/drop-points`, await drop(both)), told(`${side}/gzip-ratio`, ratio(both))];
    },
  };
}

function fineTune(epochs: number): Record<string, unknown> {
  const { batchSize, learningRate } = fineTuning;
  return { epochs, batchSize, optimizer: { type: "adam", learningRate } };
}

function of({ familyParams: { dropout } }: ModelSpec): { dropout: number } {
  return { dropout: typeof dropout === "number" ? dropout : 0 };
}

async function pruneBeside(
  { rivals, say }: Laboratory,
  model: Uint8Array,
  request: Omit<PruneRequest, "model" | keyof typeof fineTuning>,
): Promise<Uint8Array | undefined> {
  if (rivals.prune) say(`  PyTorch: ${request.method} pruning, ${request.epochs} epochs`);
  return rivals.prune?.({ model, ...request, ...fineTuning });
}
