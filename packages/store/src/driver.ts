import { AppError } from "@whittle/contracts";
import type { Content } from "./content-file.ts";

/** A key as a listing shows it. */
export interface Entry {
  key: string;
  /** Bytes as they are stored. */
  size: number;
  /** When it was written, by the clock of the place that holds the store: milliseconds since 1970. */
  modified: number;
}

/**
 * What a place that holds the store must be able to do. Everything in the store is written once, so the one promise that matters is
 * that of two writers of a key exactly one wins and no reader ever sees a part of what it wrote. Only content is replaced, by the same content.
 * All methods throw AppError `unavailable` when the place can't be reached or is full.
 */
export interface StoreDriver {
  /** Where it is, for messages. */
  readonly location: string;
  /** The whole content, or undefined when there is none. */
  read(key: string): Promise<Uint8Array | undefined>;
  /**
   * Writes a key that must not exist. It is on durable storage when this returns.
   * @returns false when the key is there already; its content is left alone.
   */
  create(key: string, content: Content): Promise<boolean>;
  /**
   * Writes a key whether or not it exists, at once: a reader sees the whole of what was there or the whole of what is now, and never
   * nothing. It is on durable storage when this returns. Only for content: whoever replaces it writes the same.
   */
  replace(key: string, content: Content): Promise<void>;
  /** Size in bytes, or undefined when there is none. */
  stat(key: string): Promise<{ size: number } | undefined>;
  /** Every key that begins with `prefix`, which is empty or ends in `/`; sorted. */
  list(prefix: string): Promise<string[]>;
  /** As {@link list}, with size and age. A key that is removed meanwhile may be left out. */
  entries(prefix: string): Promise<Entry[]>;
  /** Removes a key; one that isn't there is no error. */
  remove(key: string): Promise<void>;
}

const keyPattern = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;

/** Refuses a key that could lead out of the store. */
export function checkKey(key: string): void {
  if (!keyPattern.test(key)) throw new AppError("invalid_request", `"${key}" is not a key of the store`);
}
