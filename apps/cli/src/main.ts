#!/usr/bin/env -S node --import tsx
import { CommanderError } from "commander";
import { createProgram } from "./program.ts";
import { printError } from "./terminal/errors.ts";

try {
  await createProgram().parseAsync();
} catch (error) {
  // Commander has already said what was wrong with the command line.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = printError(error);
}
