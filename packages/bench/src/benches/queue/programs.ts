import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WhittleClient } from "@whittle/sdk";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));

/** Where programs find Redis and the folder that holds the store. */
export interface Place {
  redisUrl: string;
  folder: string;
}

export interface Running {
  client: WhittleClient;
  /** The processes that it is. */
  pids: number[];
  close: () => Promise<void>;
}

/** The API as a process of its own, asked over HTTP. */
export async function startApi({ redisUrl, folder }: Place): Promise<Running> {
  const port = String(await freePort());
  const client = new WhittleClient({ url: `http://127.0.0.1:${port}` });
  const address = { WHITTLE_API_HOST: "127.0.0.1", WHITTLE_API_PORT: port, WHITTLE_RATE_LIMIT: "0" };
  const env = { REDIS_URL: redisUrl, WHITTLE_STORE: path.join(folder, "store"), ...address };
  const { pid, close } = await startProgram("api", env, () => client.workers());
  return { client, pids: [pid], close };
}

/** The API and one worker with a job's process for each job, one at a time. */
export async function startWhittle(place: Place, settings: Record<string, string>): Promise<Running> {
  const api = await startApi(place);
  const worker = await startWorker(place, api.client, settings);
  return {
    client: api.client,
    pids: [...api.pids, worker.pid],
    close: async () => {
      await worker.close();
      await api.close();
    },
  };
}

interface Program {
  pid: number;
  close: () => Promise<void>;
}

/** A worker as a process of its own, when it takes jobs. */
export function startWorker(
  { redisUrl, folder }: Place,
  client: WhittleClient,
  settings: Record<string, string>,
): Promise<Program> {
  const store = { WHITTLE_STORE: path.join(folder, "store"), WHITTLE_WORK_DIR: path.join(folder, "work") };
  return startProgram("worker", { REDIS_URL: redisUrl, ...store, ...settings }, async (own) => {
    if (!(await client.workers()).some(({ pid }) => pid === own)) throw new Error("no such worker yet");
  });
}

/** Resolves when a job has told the end of an epoch. */
export async function untilTraining(client: WhittleClient, id: string): Promise<void> {
  for await (const event of client.events(id)) {
    if (event.type === "metrics") return;
    if (event.type === "state" && event.error)
      throw new Error(`job ${id} is ${event.state}: ${JSON.stringify(event.error)}`);
  }
  throw new Error(`job ${id} has ended before it trained`);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts an app and waits until `ready`, which gets its pid, does not fail any more. */
async function startProgram(
  app: "api" | "worker",
  env: Record<string, string>,
  ready: (pid: number) => Promise<unknown>,
): Promise<Program> {
  const program = spawn(process.execPath, ["--import", "tsx", `apps/${app}/src/main.ts`], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: "ignore",
  });
  const exited = once(program, "exit");
  const isReady = (): Promise<boolean> =>
    ready(program.pid ?? 0).then(
      () => true,
      () => false,
    );
  while (!(await isReady())) {
    if (program.exitCode !== null) throw new Error(`${app} ended with exit code ${program.exitCode}`);
    await sleep(50);
  }
  return {
    pid: program.pid ?? 0,
    close: async () => {
      program.kill("SIGTERM");
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || !address) throw new Error("no free port");
  return address.port;
}
