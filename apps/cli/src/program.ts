import { Command } from "commander";
import { addDemo } from "./commands/demo.ts";
import { addInspect } from "./commands/inspect.ts";
import { addModels } from "./commands/models.ts";
import { addSetup } from "./commands/setup.ts";
import { addStore } from "./commands/store.ts";
import { addSubmit } from "./commands/submit.ts";
import { addUp } from "./commands/up.ts";

/** The `whittle` command; usage errors are thrown as CommanderError, all others as AppError. */
export function createProgram(): Command {
  const program = new Command("whittle")
    .description("Makes neural networks small and fast, and serves them.")
    .exitOverride()
    .showHelpAfterError("(whittle help lists the commands)");
  for (const add of [addSetup, addUp, addDemo, addSubmit, addInspect, addModels, addStore]) add(program);
  return program;
}
