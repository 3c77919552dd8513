import { testDataset } from "../../testing.ts";

await testDataset("udhr", "sha256:acd2a53f3ae266a9f7aebc10d88c91787f11d5d0b98a8cbe9bbdc65207b3e08f");
