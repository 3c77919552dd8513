import { tinyTraining, testJobKind } from "../testing.ts";

testJobKind("train", { params: tinyTraining, reseeded: { ...tinyTraining, seed: 8 } });
