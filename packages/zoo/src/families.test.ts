import { familyName } from "./catalog.ts";
import { testFamiliesInTfjs, testFamiliesOnWasm, testModelFamily } from "./testing.ts";

for (const name of familyName.options) testModelFamily(name);
testFamiliesOnWasm();
testFamiliesInTfjs({ transformer: "LearnedPositions" });
