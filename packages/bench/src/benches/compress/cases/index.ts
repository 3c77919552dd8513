import type { Case } from "../laboratory.ts";
import { distillation } from "./distill.ts";
import { hinton } from "./hinton.ts";
import { int8 } from "./int8.ts";
import {
  cifarResnet,
  fashionCnn,
  fashionMlp,
  fashionStudent,
  fashionTeacher,
  fashionWideCnn,
  mnistMlp,
  mnistStudent,
} from "./models.ts";
import { structured, unstructuredInt8 } from "./prune.ts";

/** The shortest first. */
export const cases: Case[] = [
  int8({ name: "fashion-mnist-mlp", model: fashionMlp, drop: 0.3 }),
  int8({ name: "fashion-mnist-cnn", model: fashionCnn, drop: 0.3 }),
  structured({ name: "prune-half", model: fashionCnn, amount: 0.5, epochs: 4 }),
  unstructuredInt8({ name: "prune-int8", model: fashionCnn, amount: 0.8, epochs: 4 }),
  structured({ name: "prune-half-wide", model: fashionWideCnn, amount: 0.5, epochs: 4 }),
  int8({ name: "mnist-mlp", model: mnistMlp, drop: 0.3 }),
  hinton({ name: "hinton", teacher: mnistMlp, student: mnistStudent, temperature: 20, alpha: 0.1 }),
  distillation({
    name: "distill-settings",
    teacher: fashionTeacher,
    student: fashionStudent,
    lessons: [
      { temperature: 1, alpha: 0.5 },
      { temperature: 2, alpha: 0.5 },
      { temperature: 4, alpha: 0.9 },
      { temperature: 4, alpha: 0.5 },
      { temperature: 4, alpha: 0.3 },
      { temperature: 4, alpha: 0.1 },
    ],
    seeds: [0, 1, 2],
  }),
  int8({ name: "cifar-10-resnet-8", model: cifarResnet, drop: 0.5, accuracy: 0.85, long: true }),
];
