import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { text } from "node:stream/consumers";
import { AppError } from "@whittle/contracts";
import { root } from "./build.ts";
import { allProcesses, childOf, signal, type ProcessInfo } from "./processes.ts";

/** A host as the kernel's namespaces make one: it shares no network, name, processes and /tmp with others, and its clock is its own. */
export interface Host {
  /** Of its network card; stays when the host is replaced. */
  address: string;
  /** How far its clock is ahead, in ms. */
  skewMs: number;
  /** Its name now. */
  name(): string;
  /** What is to be run here so that `command` runs there, as the only child of that. */
  command(command: string[]): string[];
  /** Pulls its cable: what is sent either way is lost, and nobody is told. */
  unplug(): void;
  plug(): void;
  /** Cuts its power: nothing that runs there does or sends anything any more. */
  lose(): Promise<void>;
  /** Puts a host with another name in the place of one that was lost. */
  replace(): Promise<void>;
}

/** Hosts on one network, which this machine is on as well. */
export interface Network {
  /** This machine's. */
  address: string;
  hosts: Host[];
  /** What runs on the hosts. */
  processes(): ProcessInfo[];
  close(): Promise<void>;
}

/** @returns why there can't be hosts here, in one line; undefined when there can. */
export function whyNoHosts(): string | undefined {
  if (process.execPath.startsWith("/tmp/"))
    return `hosts have a /tmp of their own, without the Node in ${process.execPath}`;
  const tried = ["--net", "--uts", "--mount", "--pid", "--fork", "ip", "link", "add", "type", "veth"];
  const { status, stderr, error } = spawnSync("unshare", tried, { encoding: "utf8" });
  if (status === 0) return undefined;
  const reason = error?.message ?? stderr.trim().split("\n").at(-1);
  return `hosts need Linux with veth and bridges, root, util-linux and iproute2: ${reason}`;
}

/**
 * Starts hosts whose clocks are ahead by `skewsMs`. Each finds this machine's `/proc` at `proc`, an empty folder.
 * @throws AppError `unsupported`: see {@link whyNoHosts}.
 */
export async function openNetwork(proc: string, skewsMs: number[]): Promise<Network> {
  const reason = whyNoHosts();
  if (reason !== undefined) throw new AppError("unsupported", reason);
  const { bridge, subnet } = openBridge();
  const hosts: RunningHost[] = [];
  const removeLinks = (): void => {
    for (const host of hosts) host.cut();
    removeLink(bridge);
  };
  process.once("exit", removeLinks);
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.lose()));
    process.off("exit", removeLinks);
    removeLinks();
  };
  try {
    for (const [at, skewMs] of skewsMs.entries()) {
      const host = new RunningHost({ bridge, at, address: `${subnet}.${at + 2}`, skewMs, proc });
      hosts.push(host);
      await host.replace();
    }
  } catch (error) {
    await close();
    throw error;
  }
  const processes = (): ProcessInfo[] => allProcesses().filter(({ pid }) => hosts.some((host) => host.runs(pid)));
  return { address: `${subnet}.1`, hosts, processes, close };
}

interface HostOptions extends Pick<Host, "address" | "skewMs"> {
  bridge: string;
  at: number;
  proc: string;
}

class RunningHost implements Host {
  readonly address: string;
  readonly skewMs: number;
  readonly #options: HostOptions;
  readonly #link: string;
  #boots = 0;
  #launcher: ChildProcess | undefined;
  /** Its first process, with which all others end. */
  #init = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#link = `${options.bridge}-${options.at}`;
    this.address = options.address;
    this.skewMs = options.skewMs;
  }

  name(): string {
    return `chaos-${this.#options.at}-${this.#boots}`;
  }

  async replace(): Promise<void> {
    const { bridge, proc } = this.#options;
    this.#boots++;
    this.#launcher = await boot(this.name(), proc);
    this.#init = childOf(this.#launcher.pid ?? 0);
    ip("link", "add", this.#link, "type", "veth", "peer", "name", "eth0", "netns", String(this.#init));
    ip("link", "set", this.#link, "master", bridge, "up");
    this.#ip("address", "add", `${this.address}/24`, "dev", "eth0");
    this.#ip("link", "set", "eth0", "up");
  }

  command(command: string[]): string[] {
    const enter = ["nsenter", "-t", String(this.#init), "--net", "--uts", "--mount", "--pid", "--no-fork"];
    // Only children of a process that enters get into the new pid namespace. The exit keeps the shell from becoming the command.
    return [...enter, "sh", "-c", '"$@"; exit $?', "sh", ...command];
  }

  unplug(): void {
    execFileSync("bridge", ["link", "set", "dev", this.#link, "state", disabled]);
  }

  plug(): void {
    execFileSync("bridge", ["link", "set", "dev", this.#link, "state", forwarding]);
  }

  async lose(): Promise<void> {
    const launcher = this.#launcher;
    if (!launcher) return;
    this.#launcher = undefined;
    // First, or the dying processes' connections would be closed in order.
    this.cut();
    const gone = once(launcher, "exit");
    // Its parent hears of its end when the kernel has ended, and collected, all others.
    signal(this.#init, "SIGKILL");
    await gone;
  }

  /** For good; the kernel itself does it some time after the host's end only. */
  cut(): void {
    removeLink(this.#link);
  }

  /** Whether a process runs here, the first one aside. */
  runs(pid: number): boolean {
    const own = namespaceOf(this.#init);
    return own !== "" && pid !== this.#init && namespaceOf(pid) === own;
  }

  #ip(...args: string[]): void {
    execFileSync("nsenter", ["-t", String(this.#init), "--net", "ip", ...args]);
  }
}

/** Of the port at the bridge. Its card would be told of a link that is down, and its kernel would not wait as long before it tries again. */
const [disabled, forwarding] = ["0", "3"];

/**
 * A checkout that lies in /tmp, which the new one hides, is put there again. Ignored signals of children mean that the kernel collects
 * orphans when they end.
 */
const init = `mount --bind /proc "$2" && mount -t proc proc /proc && cd "$3" && mount -t tmpfs tmpfs /tmp &&
{ [ -e "$3" ] || { mkdir -p "$3" && mount --no-canonicalize --rbind . "$3"; }; } && hostname "$1" &&
ip link set lo up && echo up && trap '' CHLD && exec sleep infinity`;

/** @returns the process that ends all others of the host when it ends, as it does with this one. */
async function boot(name: string, proc: string): Promise<ChildProcess> {
  const unshare = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child"];
  const command = ["--pdeathsig", "KILL", ...unshare, "sh", "-c", init, "sh", name, proc, root];
  const launcher = spawn("setpriv", command, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const failed = text(launcher.stderr).then((said) => Promise.reject(new AppError("unavailable", said)));
  await Promise.race([once(launcher.stdout, "data"), failed]);
  failed.catch(() => {}); // It says nothing more until it is killed.
  return launcher;
}

/** Makes a network of which this machine is number 1. */
function openBridge(): { bridge: string; subnet: string } {
  for (let at = 0; ; at++) {
    const bridge = `chaos${at}`;
    const { status, stderr } = spawnSync("ip", ["link", "add", bridge, "type", "bridge"], { encoding: "utf8" });
    if (status !== 0 && stderr.includes("exists") && at < 255) continue;
    if (status !== 0) throw new AppError("unavailable", `no bridge can be made: ${stderr.trim()}`);
    const subnet = `10.213.${at}`;
    ip("address", "add", `${subnet}.1/24`, "dev", bridge);
    ip("link", "set", bridge, "up");
    return { bridge, subnet };
  }
}

/** If it is there. */
function removeLink(name: string): void {
  spawnSync("ip", ["link", "delete", name]);
}

function ip(...args: string[]): void {
  execFileSync("ip", args);
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return ""; // It has just ended.
  }
}
