import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Found, Load } from "./load.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));
/** A connection that was kept may be closed by the server at the moment of the next request. */
export const unkept = { headers: { connection: "close" } };
const logLine = z.object({ msg: z.string(), url: z.string().optional() });

export interface Program {
  url: string;
  /** What it has computed so far, all its threads together. */
  cpuSeconds: () => Promise<number>;
  close: () => Promise<void>;
}

export interface ServeProgram extends Program {
  /** How often it has loaded a version of a model. */
  loads: () => number;
}

/** The serving app as a process of its own, when it serves what it is configured for. */
export async function startServe(settings: Record<string, string>): Promise<ServeProgram> {
  const program = spawn(process.execPath, ["--import", "tsx", "apps/serve/src/main.ts"], {
    cwd: root,
    env: { ...process.env, WHITTLE_SERVE_PORT: "0", WHITTLE_SERVE_KEYS: "", WHITTLE_LOG_LEVEL: "info", ...settings },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let loads = 0;
  const told = new Promise<string>((resolve) => {
    createInterface(program.stdout).on("line", (line) => {
      const { msg, url } = logLine.parse(JSON.parse(line));
      if (msg === "loaded") loads += 1;
      if (url !== undefined) resolve(url);
    });
  });
  const url = await orExit(program, "the serving app", told);
  while (!(await fetch(`${url}/readyz`, unkept)).ok) await sleep(50);
  return { url, cpuSeconds: () => cpuSecondsOf(url), loads: () => loads, close: () => end(program) };
}

/** The bare server as a process of its own, which serves ONNX files. */
export async function startBare(files: string[]): Promise<Program> {
  const program = start(new URL("./bare.ts", import.meta.url), files);
  const told = async (): Promise<number> =>
    z.number().parse((await orExit(program, "the bare server", once(program, "message")))[0]);
  const url = `http://127.0.0.1:${await told()}`;
  const cpuSeconds = (): Promise<number> => {
    const answer = told();
    program.send("cpu");
    return answer;
  };
  return { url, cpuSeconds, close: () => end(program) };
}

export interface Generator {
  run: (load: Load) => Promise<Found>;
  close: () => Promise<void>;
}

/** What sends the requests, as a process of its own. */
export function startGenerator(): Generator {
  const program = start(new URL("./load.ts", import.meta.url), []);
  return {
    run: async (load) => {
      const answer = once(program, "message");
      program.send(load);
      const [found] = await orExit(program, "the load generator", answer);
      return found;
    },
    close: () => end(program),
  };
}

async function cpuSecondsOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, unkept)).text();
  return Number(/^process_cpu_seconds_total ([\d.e-]+)/m.exec(text)?.[1]);
}

function start(file: URL, args: string[]): ChildProcess {
  return fork(fileURLToPath(file), args, { execArgv: ["--import", "tsx"], serialization: "advanced" });
}

/** @throws Error when the program ends first. */
async function orExit<T>(program: ChildProcess, name: string, result: Promise<T>): Promise<T> {
  const watching = new AbortController();
  const exit = once(program, "exit", watching).then(([code]) => {
    throw new Error(`${name} ended with exit code ${code}`);
  });
  return Promise.race([result, exit]).finally(() => {
    exit.catch(() => {});
    watching.abort();
  });
}

async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const exited = once(program, "exit");
  program.kill("SIGTERM");
  await exited;
}
