/** Prints a value for programs to read, as JSON in lines of its own. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}
