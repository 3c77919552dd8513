import { testSequenceFamily } from "../../sequence/testing.ts";

// 20 * 5; 4 (5 * 6 + 6 * 6 + 6); 6 * 3 + 3.
testSequenceFamily("lstm", { embedding: 5, units: [6] }, 100 + 288 + 21);
