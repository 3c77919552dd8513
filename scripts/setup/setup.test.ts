import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const run = promisify(execFile);
const modules = fileURLToPath(new URL(".", import.meta.url));
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "whittle-setup-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true });
});

/** Runs a program in plain Node, as the set-up does. */
async function node(program: string): Promise<string> {
  return (await run(process.execPath, ["--input-type=module", "-e", program])).stdout;
}

describe("dependencies", () => {
  const lock = {
    "": {},
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b": { version: "2.0.0", optional: true },
  };
  const why = () =>
    node(
      `import { whyInstall } from "${modules}dependencies.mjs"; console.log(whyInstall("${dir}") ?? "nothing to do");`,
    );
  const installed = async (packages: object) => {
    await mkdir(join(dir, "node_modules"), { recursive: true });
    await writeFile(join(dir, "node_modules/.package-lock.json"), JSON.stringify({ packages }));
  };

  beforeEach(() => writeFile(join(dir, "package-lock.json"), JSON.stringify({ packages: lock })));

  it("are installed when there are none", async () => {
    expect(await why()).toContain("there are none yet");
  });

  it("are left alone when they are those of the lock file", async () => {
    await installed({ "node_modules/a": { version: "1.0.0" } });
    expect(await why()).toContain("nothing to do");
  });

  it.each([
    ["is missing", {}, "node_modules/a is missing"],
    ["has another version", { "node_modules/a": { version: "0.9.0" } }, "node_modules/a is 0.9.0 and should be 1.0.0"],
    [
      "is optional, but has another version",
      { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1.0.0" } },
      "node_modules/b is 1.0.0",
    ],
  ])("are installed when one %s", async (_what, packages, expected) => {
    await installed(packages);
    expect(await why()).toContain(expected);
  });
});

describe("the lock", () => {
  const holder = (name: string) => `
    import { appendFileSync } from "node:fs";
    import { setTimeout as sleep } from "node:timers/promises";
    import { withLock } from "${modules}lock.mjs";
    await withLock("${dir}", async () => {
      appendFileSync("${dir}/log", "${name} in\\n");
      await sleep(300);
      appendFileSync("${dir}/log", "${name} out\\n");
    });
  `;

  it("lets one set-up at a time work on a checkout", async () => {
    await Promise.all(["a", "b", "c"].map((name) => node(holder(name))));
    const lines = (await readFile(join(dir, "log"), "utf8")).trim().split("\n");
    expect(lines).toHaveLength(6);
    for (let at = 0; at < 6; at += 2) expect(lines[at + 1]).toBe(lines[at]?.replace(" in", " out"));
  });

  it("of a set-up that was killed holds nobody up", async () => {
    await mkdir(join(dir, ".whittle"));
    const { stdout } = await run(process.execPath, ["-p", "process.pid"]);
    await writeFile(join(dir, ".whittle/setup.lock"), stdout);
    await node(holder("a"));
    expect(await readFile(join(dir, "log"), "utf8")).toBe("a in\na out\n");
  });
});
