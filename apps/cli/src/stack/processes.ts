export interface ProcessesConfig {
  redisUrl: string;
  prefix: string;
  /** URL or path of the store that all of them share. */
  store: string;
  api: { host: string; port: number };
  serve: { host: string; port: number };
  /** How many worker processes, and how many jobs each runs at a time. */
  workers: number;
  concurrency: number;
}

/** One process of a running Whittle; `command` is run in the repository's root. */
export interface ProcessSpec {
  name: string;
  command: string[];
  /** Added to the environment that it inherits. */
  env: Record<string, string>;
}

/** What runs beside Redis: the API, the serving app and the workers. docker-compose.yml runs the same commands, one a container. */
export function processes(config: ProcessesConfig): ProcessSpec[] {
  const { redisUrl, prefix, store, api, serve, workers, concurrency } = config;
  const queue = { REDIS_URL: redisUrl, WHITTLE_PREFIX: prefix };
  const worker = (name: string): ProcessSpec => ({
    name,
    command: command("worker", "--concurrency", String(concurrency)),
    env: { ...queue, WHITTLE_STORE: store },
  });
  return [
    {
      name: "api",
      command: command("api"),
      env: { ...queue, WHITTLE_STORE: store, WHITTLE_API_HOST: api.host, WHITTLE_API_PORT: String(api.port) },
    },
    {
      name: "serve",
      command: command("serve"),
      env: { WHITTLE_STORE: store, WHITTLE_SERVE_HOST: serve.host, WHITTLE_SERVE_PORT: String(serve.port) },
    },
    ...Array.from({ length: workers }, (_, index) => worker(workers === 1 ? "worker" : `worker-${index + 1}`)),
  ];
}

function command(app: string, ...options: string[]): string[] {
  return ["node", "--import", "tsx", `apps/${app}/src/main.ts`, ...options];
}
