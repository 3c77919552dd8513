import { testJobKind } from "../testing.ts";

const fineTune = { epochs: 2, batchSize: 32, optimizer: { type: "sgd", learningRate: 0.05 } };
const params = { model: "tiny-base", amount: 0.5, fineTune: { ...fineTune, seed: 1 } };

testJobKind("prune", { params, reseeded: { ...params, fineTune: { ...fineTune, seed: 2 } } });
