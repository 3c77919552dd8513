import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { createProgress, type ProgressStream } from "./progress.ts";

function terminal(isTTY: boolean): { stream: ProgressStream; text: () => string } {
  const chunks: string[] = [];
  const stream = new PassThrough().on("data", (chunk) => chunks.push(String(chunk)));
  const size = { isTTY, columns: 100, rows: 30, cursorTo: () => true, clearLine: () => true, moveCursor: () => true };
  return { stream: Object.assign(stream, size), text: () => chunks.join("") };
}

it("writes plain lines where there is no terminal: a new stage, and every tenth of the way", () => {
  const { stream, text } = terminal(false);
  const view = createProgress(["teacher"], stream);
  for (const fraction of [0, 0.01, 0.02, 0.11, 0.12]) view.update("teacher", fraction, "epoch 1/2");
  view.update("teacher", 0.12, "epoch 2/2");
  view.line("a warning");
  view.close();
  expect(text()).toBe("teacher: 0% epoch 1/2\nteacher: 11% epoch 1/2\nteacher: 12% epoch 2/2\na warning\n");
});

it("shows a bar for each job on a terminal, and a line above them", async () => {
  const { stream, text } = terminal(true);
  const view = createProgress(["teacher", "student"], stream);
  view.update("student", 0.5, "epoch 1/2");
  view.line("a warning");
  view.close();
  expect(text()).toMatch(/teacher .* 0% waiting/);
  expect(text()).toMatch(/student .*█+.* 50% epoch 1\/2/);
  expect(text()).toContain("a warning\n");
});
