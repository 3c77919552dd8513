import { familyName } from "./catalog.ts";
import { testFamiliesOnWasm, testModelFamily } from "./testing.ts";

for (const name of familyName.options) testModelFamily(name);
testFamiliesOnWasm();
