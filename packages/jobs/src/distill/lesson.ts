import { tf, type Batch, type LossFunction, type RawSamples } from "@whittle/engine";
import type { Dataset } from "@whittle/zoo";
import { stopIfAborted, type JobContext } from "../shared/context.ts";
import { averagedLogits, distillationLoss } from "../shared/distillation.ts";
import { openTrainable } from "../shared/model.ts";
import type { TrainingExtras, TrainingSamples } from "../shared/training.ts";
import { answersOf } from "./answers.ts";
import type { DistillParams } from "./contract.ts";
import { tieHints } from "./hints.ts";
import type { Teacher } from "./teachers.ts";

/** What a student learns from. */
export interface LessonPlan {
  context: JobContext;
  params: DistillParams;
  teachers: [Teacher, ...Teacher[]];
  data: Dataset;
  samples: TrainingSamples<RawSamples>;
}

/** What the training of a student takes, and what it holds until `dispose`. */
export interface Lesson {
  extras: Pick<TrainingExtras, "loss" | "taps" | "lossVariables">;
  dispose(): void;
}

/** Logits for a batch, [batch, classes], that stand for all teachers together. */
type Answer = (batch: Batch) => tf.Tensor;

/**
 * The teachers' part of a student's training: their answers, asked for once, or for each step's samples where these are augmented; and
 * hints from the first one's layers, which it gives at each step.
 */
export async function prepareLesson(plan: LessonPlan, student: tf.LayersModel): Promise<Lesson> {
  const { context, params, teachers } = plan;
  const held: { dispose(): unknown }[] = [];
  const hold = <T extends { dispose(): unknown }>(resource: T): T => {
    held.push(resource);
    return resource;
  };
  const dispose = () => held.toReversed().forEach((resource) => resource.dispose());
  try {
    const live = params.augment ? teachers : teachers.slice(0, params.hints.length > 0 ? 1 : 0);
    const models: tf.LayersModel[] = [];
    for (const teacher of live) models.push(hold(await openTrainable(context, teacher)));
    const [first] = models;
    const hints = first && params.hints.length > 0 && hold(tieHints(params.hints, first, student, params.seed));
    const answer = params.augment ? answering(plan, models) : remembering(hold(await askOnce(plan)));
    const loss: LossFunction = (batch, logits, features) => {
      const answered = distillationLoss(logits, answer(batch), batch.y, params);
      return hints ? answered.add(hints.loss(batch, features)) : answered;
    };
    return { extras: { loss, ...(hints && { taps: hints.taps, lossVariables: hints.lossVariables }) }, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The teachers' averaged logits for each training sample, [n, classes]. */
async function askOnce(plan: LessonPlan): Promise<tf.Tensor> {
  const { context, params, teachers } = plan;
  const answers: { logits: tf.Tensor; weight: number }[] = [];
  try {
    for (const teacher of teachers) {
      stopIfAborted(context.signal);
      answers.push({ logits: await answersOf(plan, teacher), weight: teacher.weight });
    }
    return averagedLogits(answers, params.temperature);
  } finally {
    tf.dispose(answers.map(({ logits }) => logits));
  }
}

function remembering(answers: tf.Tensor): Answer {
  return ({ indices }) => tf.gather(answers, indices);
}

function answering({ params, teachers }: LessonPlan, models: tf.LayersModel[]): Answer {
  return ({ x }) =>
    tf.tidy(() => {
      const answers = models.map((model, at) => {
        const logits = model.apply(x, { training: false });
        if (!(logits instanceof tf.Tensor)) throw new RangeError("a teacher has more than one output");
        return { logits, weight: teachers[at]?.weight ?? 1 };
      });
      return averagedLogits(answers, params.temperature);
    });
}
