import { told } from "../../../bench.ts";
import { median } from "../../../statistics.ts";
import type { Case, Made, ModelSpec } from "../laboratory.ts";
import { accuracyOf, points } from "../measure.ts";

/** How a student listens: the temperature, and the weight of the labels beside the teacher's answers. */
interface Lesson {
  temperature: number;
  alpha: number;
}

interface DistillCase {
  name: string;
  teacher: ModelSpec;
  student: ModelSpec;
  lessons: Lesson[];
  seeds: number[];
}

/** What a student gains by a teacher in each way of listening, beside the same student of the same seed without one. */
export function distillation({ name, teacher, student, lessons, seeds }: DistillCase): Case {
  const path = `compress/${name}`;
  return {
    name,
    long: true,
    async run(laboratory) {
      const large = await laboratory.train(teacher);
      const data = await laboratory.data(student.dataset);
      const epochs = laboratory.epochs(student.epochs);
      const accuracies = async (make: (seed: number) => Promise<Made>): Promise<number[]> => {
        const found: number[] = [];
        for (const seed of seeds) found.push(await accuracyOf((await make(seed)).onnx, data));
        return found;
      };
      const alone = await accuracies((seed) => laboratory.train({ ...student, seed }));
      const checks = [
        told(`${path}/training-samples`, data.train.count),
        told(`${path}/student/epochs`, epochs),
        told(`${path}/teacher/accuracy`, await accuracyOf(large.onnx, data)),
        told(`${path}/control/accuracy`, median(alone)),
      ];
      for (const lesson of lessons) {
        const job = { ...student, ...lesson, teacher: large.digest, epochs };
        const taught = await accuracies((seed) => laboratory.run("distill", { ...job, seed }));
        const gains = taught.map((accuracy, at) => points(accuracy, alone[at] ?? Number.NaN));
        const side = `${path}/T${lesson.temperature}-alpha${lesson.alpha}/gain-points`;
        checks.push(told(side, median(gains)), told(`${side}-least`, Math.min(...gains)));
        checks.push(told(`${side}-most`, Math.max(...gains)));
      }
      return checks;
    },
  };
}
