import { testDataset } from "../../testing.ts";

await testDataset("fashion-mnist", "sha256:89779fa9f5aa1a48725472f99fde2a9e28e48172a8aad56c6e81a29ac5b75526");
