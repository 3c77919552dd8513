import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

function whittle(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  // Nothing listens on the discard port.
  const env = { ...process.env, WHITTLE_URL: "http://127.0.0.1:59999" };
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", main, ...args], { env }, (error, out, err) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }),
    );
  });
}

it("lists its commands", async () => {
  const { code, out } = await whittle("--help");
  expect(code).toBe(0);
  for (const name of [
    "setup",
    "up",
    "demo",
    "doctor",
    "submit",
    "pipeline",
    "jobs",
    "watch",
    "logs",
    "cancel",
    "retry",
    "models",
    "predict",
    "store",
  ]) {
    expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  }
});

it.each([
  { args: ["submit", "train"], code: 2, err: /required option '--params/ },
  { args: ["trian"], code: 2, err: /unknown command 'trian'[^]*Did you mean train|unknown command 'trian'/ },
  { args: ["up", "--workers", "0"], code: 2, err: /at least 1/ },
  {
    args: ["submit", "trane", "--params", "{}"],
    code: 1,
    err: /^error: trane is not a job kind; the kinds are .*train/,
  },
  { args: ["submit", "evaluate", "--params", "{"], code: 1, err: /^error: --params is not JSON/ },
  { args: ["submit", "evaluate", "--params", "@no.json"], code: 1, err: /^error: --params: no.json can't be read/ },
  { args: ["submit", "evaluate", "--params", '{"model": 1, "splt": 2}'], code: 1, err: /params.model: [^]*splt/ },
  { args: ["jobs"], code: 1, err: /^error: the API at http:\/\/127.0.0.1:59999 does not answer/ },
])("ends `whittle $args` with $code and says why", async ({ args, code, err }) => {
  const result = await whittle(...args);
  expect(result.err).toMatch(err);
  expect(result.code).toBe(code);
});
