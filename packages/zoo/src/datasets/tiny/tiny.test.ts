import { testDataset } from "../../testing.ts";

await testDataset("tiny", "sha256:22456ef4e1c6130947a899cc5fe33a59548a47794691b34d0c5428041830e734");
