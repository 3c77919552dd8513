import { toAppError } from "@whittle/contracts";
import { pino } from "pino";
import { createServe } from "./create-serve.ts";
import { readEnv } from "./env.ts";

try {
  const { logLevel, ...config } = readEnv();
  const logger = pino({ name: "serve", level: logLevel });
  const serve = await createServe(config, { logger });
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, "draining");
    void serve.close();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
} catch (error) {
  console.error(toAppError(error).message);
  process.exitCode = 1;
}
