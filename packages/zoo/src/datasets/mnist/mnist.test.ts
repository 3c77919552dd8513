import { testDataset } from "../../testing.ts";

await testDataset("mnist", "sha256:7af003535c05dcf2c9909c10ab1108ed9a96c6911b195bf4c7a0cc44a0d317e0", 0.25);
