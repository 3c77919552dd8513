import { toAppError } from "@whittle/contracts";
import { createApi } from "./app.ts";
import { readConfig } from "./env.ts";

try {
  const api = await createApi(readConfig());
  let leaving: Promise<void> | undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => (leaving ??= api.close().then(() => process.exit(0))));
  }
} catch (error) {
  console.error(`api: ${toAppError(error).message}`);
  process.exit(1);
}
