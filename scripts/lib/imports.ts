import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Who may import a module; `turbo boundaries` knows only whole packages, and these rules are finer. */
interface Rule {
  what: RegExp;
  /** The only files that may import it. */
  onlyFrom: RegExp;
  why: string;
}

const rules: Rule[] = [
  {
    what: /^@tensorflow\//,
    onlyFrom: /^packages\/engine\//,
    why: "only packages/engine imports TensorFlow.js: import { tf } from @whittle/engine",
  },
  {
    what: /^bullmq$/,
    onlyFrom: /^packages\/(queue|bench)\//,
    why: "only packages/queue imports BullMQ (and packages/bench, to measure it bare)",
  },
  {
    what: /^onnxruntime-node$/,
    onlyFrom: /^packages\/onnx\/src\/(runtime|quantize)\//,
    why: "ONNX Runtime is reached through @whittle/onnx/runtime",
  },
  {
    what: /^@whittle\/engine$/,
    onlyFrom:
      /^packages\/(zoo|jobs|bench)\/|^apps\/worker\/src\/(child|probe)\.ts$|^apps\/cli\/src\/setup\/inspect-engine\.ts$/,
    why: "TensorFlow is loaded only in a worker's children, by jobs and by the zoo",
  },
  {
    what: /^@whittle\/zoo$/,
    onlyFrom:
      /^packages\/(jobs|bench)\/|^apps\/worker\/src\/(child|probe)\.ts$|^apps\/cli\/src\/(setup|demo|explain)\//,
    why: "the zoo's implementations load the engine: import @whittle/zoo/catalog",
  },
  {
    what: /^@whittle\/jobs\/runners$/,
    onlyFrom: /^apps\/worker\/src\/child\.ts$|^packages\/bench\//,
    why: "jobs run only in a worker's children: import @whittle/jobs/catalog",
  },
  {
    what: /^@whittle\/queue/,
    onlyFrom: /^apps\/(api|worker|cli)\/|^packages\/(bench|chaos)\//,
    why: "serve and the packages know nothing of the queue",
  },
  {
    what: /^@whittle\/onnx$/,
    onlyFrom: /^packages\/(jobs|bench)\//,
    why: "apps use the runtime part: import @whittle/onnx/runtime",
  },
  {
    what: /^@whittle\/sdk$/,
    onlyFrom: /^apps\/cli\/|^packages\/(bench|chaos)\//,
    why: "the SDK is for clients of the API",
  },
];

/** What a contract in `packages/jobs` may import, so that the catalog stays free of the engine. */
const contractImports =
  /^(zod|@whittle\/contracts|@whittle\/zoo\/catalog|(\.\.\/)*\.\.?\/(shared\/)?[a-z-]+\.ts|\.\/[a-z-]+\/contract\.ts)$/;

/** Tests and what only they use may import anything. */
const testCode = /\.test\.ts$|\/testing(\/|\.ts$)|\/fixtures\//;

/** Every import that the rules forbid, as `file: module: reason`, in the apps and packages of `root`. */
export async function forbiddenImports(root: string): Promise<string[]> {
  const files = (await Promise.all(["apps", "packages"].map((folder) => sources(join(root, folder))))).flat();
  const found = files.toSorted().map(async (file) => {
    const path = relative(root, file);
    const modules = importedModules(await readFile(file, "utf8"));
    return modules.flatMap((what) => problems(path, what).map((why) => `${path}: ${what}: ${why}`));
  });
  return (await Promise.all(found)).flat();
}

/** The modules that a source imports, statically or not; imports of types count. */
export function importedModules(source: string): string[] {
  const pattern = /(?:^|[^\w."])(?:from|import|require\(|import\()\s*"([^"]+)"/gm;
  return [...new Set([...source.matchAll(pattern)].map(([, what]) => what ?? ""))];
}

function problems(path: string, what: string): string[] {
  const own = /^packages\/([\w-]+)\//.exec(path)?.[1];
  const isOwn = own !== undefined && (what === `@whittle/${own}` || what.startsWith(`@whittle/${own}/`));
  const broken = isOwn ? [] : rules.filter((rule) => rule.what.test(what) && !rule.onlyFrom.test(path));
  return [...broken.map(({ why }) => why), ...jobProblems(path, what)];
}

/** One job kind may not import another, and its contract imports no engine. */
function jobProblems(path: string, what: string): string[] {
  const [, kind, rest] = /^packages\/jobs\/src\/([\w-]+)\/(.+)$/.exec(path) ?? [];
  if (kind === undefined || rest === undefined || kind === "generated") return [];
  const outside = "../".repeat(rest.split("/").length);
  const other = what.startsWith(outside) ? /^([\w-]+)\//.exec(what.slice(outside.length))?.[1] : undefined;
  const why: string[] = [];
  if (other !== undefined && other !== kind && other !== "shared")
    why.push("one job kind may not import another: move what they share to shared/");
  if (/^([a-z-]+\/)?contract\.ts$/.test(rest ?? "") && !contractImports.test(what))
    why.push("a contract imports zod and contracts only");
  return why;
}

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const nested = entries.map((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? Promise.resolve([]) : sources(path);
    return Promise.resolve(path.endsWith(".ts") && !testCode.test(path) ? [path] : []);
  });
  return (await Promise.all(nested)).flat();
}
