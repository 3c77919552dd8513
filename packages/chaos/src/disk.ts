import { execFileSync } from "node:child_process";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What a folder store lies on. */
export interface Disk {
  /** Path of the store. */
  store: string;
  /** Whether it is a volume of its own, which can be filled. */
  canBeFilled: boolean;
  /** Leaves no byte free. */
  fill(): Promise<void>;
  /** Undoes {@link Disk.fill}. */
  empty(): Promise<void>;
  /** Puts a file where the store makes its temporary files, so that every write fails. */
  block(): Promise<void>;
  /** Undoes {@link Disk.block}. */
  unblock(): Promise<void>;
  close(): Promise<void>;
}

const size = 256 * 2 ** 20;
const piece = Buffer.alloc(2 ** 20);

/** Mounts a volume in memory where this user may; without one the store lies in an ordinary folder. */
export async function openDisk(folder: string): Promise<Disk> {
  await mkdir(folder);
  const canBeFilled = mount(folder);
  const store = join(folder, "store");
  const filler = join(folder, "filler");
  const temporary = join(store, "tmp");
  return {
    store,
    canBeFilled,
    fill: () => fillUp(filler),
    empty: () => rm(filler, { force: true }),
    block: () => putFile(temporary),
    // The store makes its folder again by itself.
    unblock: () => rm(temporary, { force: true }),
    close: async () => {
      if (canBeFilled) execFileSync("/bin/umount", ["-l", folder]);
    },
  };
}

function mount(folder: string): boolean {
  try {
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Puts a file in the place of a folder, in which others may just be writing. */
async function putFile(folder: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await rm(folder, { recursive: true, force: true });
      return await writeFile(folder, "", { flag: "wx" });
    } catch (error) {
      if (tries === 100) throw error;
    }
  }
}

async function fillUp(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (;;) await file.write(piece);
  } catch {
    // It is full.
  } finally {
    await file.close();
  }
}
