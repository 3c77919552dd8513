import { testStore } from "../testing/index.ts";
import { MemoryDriver } from "./memory.ts";

testStore("memory", async () => {
  const driver = new MemoryDriver();
  return { driver, again: () => driver };
});
