import { AppError, toAppError } from "@whittle/contracts";

/** The code of a failed call of the system (`ENOSPC`); undefined for any other error. */
export function errno(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

const anotherFolder = "name another folder in WHITTLE_STORE";
const collect = "remove what nobody needs (whittle store gc --delete)";

/** What each failure means and what to do about it. */
const advice: Record<string, (folder: string) => string> = {
  ENOSPC: () => `its volume is full: free space there, or ${collect}`,
  EDQUOT: () => `the quota on its volume is used up: raise it, or ${collect}`,
  EFBIG: () => "this process may not write files that large: raise its limit (ulimit -f)",
  EROFS: () => `its volume is read-only: mount it for writing, or ${anotherFolder}`,
  EACCES: (folder) => {
    const user = process.getuid?.() ?? "its user";
    return `this process (user ${user}) may not read and write all of it: chown -R ${user} ${folder}, or ${anotherFolder}`;
  },
  EPERM: () => `its file system has no hard links, or this process may not make them: ${anotherFolder}`,
  ENOTDIR: () => `a part of that path is a file: ${anotherFolder}`,
  EEXIST: () => `a part of that path is a file: ${anotherFolder}`,
};

/**
 * What a failed call on the store's folder becomes: AppError `unavailable` that names the folder, what is wrong and what to do. What is no
 * failure of the system stays what it is.
 */
export function asAppError(error: unknown, folder: string): AppError {
  const code = errno(error);
  if (error instanceof AppError || code === undefined) return toAppError(error);
  const reason = error instanceof Error ? error.message : code;
  const hint = advice[code]?.(folder);
  return new AppError("unavailable", `the store in ${folder} failed: ${hint ? `${hint} (${reason})` : reason}`, {
    cause: error,
  });
}
