import { testSequenceFamily } from "../../sequence/testing.ts";

// 20 * 5; 3 (5 * 6 + 6 * 6 + 6); 6 * 3 + 3.
testSequenceFamily("gru", { embedding: 5, units: [6] }, 100 + 216 + 21);
