import { atLeast, told } from "../../../bench.ts";
import { median } from "../../../statistics.ts";
import type { Case, ModelSpec } from "../laboratory.ts";
import { accuracyOf } from "../measure.ts";

interface HintonCase {
  name: string;
  teacher: ModelSpec;
  student: ModelSpec;
  temperature: number;
  /** Weight of the labels beside the teacher's answers. */
  alpha: number;
  /** Of the students: each is taught, and trained alone, from the same first weights. */
  seeds: number[];
}

/** Distilling the Knowledge in a Neural Network (1503.02531), section 3: how much of what a student lacks its teacher can give it. */
export function hinton({ name, teacher, student, temperature, alpha, seeds }: HintonCase): Case {
  const path = `compress/${name}`;
  return {
    name,
    async run(laboratory) {
      const large = await laboratory.train(teacher);
      const epochs = laboratory.epochs(student.epochs);
      const data = await laboratory.data(student.dataset);
      const errors = async (model: Uint8Array): Promise<number> =>
        Math.round((1 - (await accuracyOf(model, data))) * data.test.count);
      const best = await errors(large.onnx);
      const checks = [
        told(`${path}/training-samples`, data.train.count),
        told(`${path}/teacher/epochs`, laboratory.epochs(teacher.epochs)),
        told(`${path}/student/epochs`, epochs),
        told(`${path}/teacher/errors`, best),
      ];
      const shares: number[] = [];
      for (const seed of seeds) {
        const control = await laboratory.train({ ...student, seed });
        const lesson = { teacher: large.digest, temperature, alpha };
        const distilled = await laboratory.run("distill", { ...student, ...lesson, epochs, seed });
        const [alone, taught] = [await errors(control.onnx), await errors(distilled.onnx)];
        if (alone <= best)
          laboratory.say("  the teacher is no better than the student alone: there is no gap to close");
        const closed = alone > best ? (alone - taught) / (alone - best) : 0;
        shares.push(closed);
        const side = `${path}/seed-${seed}`;
        checks.push(
          told(`${side}/control/errors`, alone),
          told(`${side}/distilled/errors`, taught),
          told(`${side}/gap-closed`, closed),
        );
      }
      return [...checks, atLeast(`${path}/gap-closed`, median(shares), 0.7)];
    },
  };
}
