import { AppError } from "@whittle/contracts";
import type { Command } from "commander";
import { printJson } from "../terminal/json.ts";
import { table } from "../terminal/table.ts";
import { createClient } from "./client.ts";

/** `kinds`, `families`: what jobs there are, and of what. */
export function addCatalog(program: Command): void {
  program
    .command("kinds")
    .description("list the job kinds and their parameters")
    .argument("[kind]", "print this one with the JSON Schema of its parameters and an example")
    .action(kinds);
  program.command("families").description("list the model families and their parameters").action(families);
}

async function kinds(name?: string): Promise<void> {
  const all = await createClient().kinds();
  if (name === undefined)
    return console.log(
      table([["KIND", "", "PARAMETERS"], ...all.map(({ kind, title, params }) => [kind, title, fieldsOf(params)])]),
    );
  const found = all.find(({ kind }) => kind === name);
  if (!found) {
    const names = all.map(({ kind }) => kind).join(", ");
    throw new AppError("invalid_request", `${name} is not a job kind; the kinds are ${names}`);
  }
  printJson(found);
}

/** The fields that a JSON Schema has. */
function fieldsOf(schema: Record<string, unknown>): string {
  return Object.keys(Object(schema["properties"])).join(", ");
}

async function families(): Promise<void> {
  const rows = (await createClient().families()).map(({ name, title, params }) => [name, title, fieldsOf(params)]);
  console.log(table([["FAMILY", "", "PARAMETERS"], ...rows]));
}
