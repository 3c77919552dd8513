import { Command } from "commander";
import { addCatalog } from "./commands/catalog.ts";
import { addDatasets } from "./commands/datasets.ts";
import { addDemo } from "./commands/demo.ts";
import { addExplain } from "./commands/explain.ts";
import { addImport } from "./commands/import.ts";
import { addInspect } from "./commands/inspect.ts";
import { addModels } from "./commands/models.ts";
import { addSetup } from "./commands/setup.ts";
import { addStore } from "./commands/store.ts";
import { addSubmit } from "./commands/submit.ts";
import { addUp } from "./commands/up.ts";

const groups = [
  ["This machine:", [addSetup, addUp, addDemo, addStore]],
  ["Jobs:", [addSubmit, addImport, addInspect]],
  ["What there is for them:", [addCatalog, addDatasets]],
  ["Models:", [addModels, addExplain]],
] as const;

/** The `whittle` command; usage errors are thrown as CommanderError, all others as AppError. */
export function createProgram(): Command {
  const program = new Command("whittle")
    .description("Makes neural networks small and fast, and serves them.")
    .exitOverride()
    .showHelpAfterError("(whittle help lists the commands)");
  for (const [heading, adds] of groups) {
    program.commandsGroup(heading);
    for (const add of adds) add(program);
  }
  return program;
}
