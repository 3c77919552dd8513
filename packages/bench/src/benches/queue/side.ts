/** One way to submit jobs to a Redis and to run them in this process. */
export interface Side {
  name: string;
  /** Resolves when the job is accepted. */
  submit(): Promise<unknown>;
  /** Called at the first moment of every job that runs, with the time at which it was accepted, in ms since 1970. */
  onStart(listener: (acceptedAt: number) => void): void;
  /** Begins to run jobs. */
  work(): Promise<void>;
  close(): Promise<void>;
}
