import { testSequenceFamily } from "../../sequence/testing.ts";

// 20 * 5; (2 + 3) * 5 * 4 + 2 * 4; 8 * 3 + 3.
testSequenceFamily("text-cnn", { embedding: 5, kernels: [2, 3], filters: 4 }, 100 + 108 + 27);
