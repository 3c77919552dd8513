/** An answer that is an error: an HTTP status and S3's code. */
export class S3Failure extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

/** What goes wrong with one request. */
export type S3Fault =
  /** Nothing is done, and the answer is this error. */
  | { kind: "refused"; status: number; code: string }
  /** It is done, and the connection is cut before the answer. */
  | { kind: "lost" }
  /** The connection is cut in the middle of the answer's body. */
  | { kind: "truncated" }
  /** One bit of the answer's body is another. */
  | { kind: "damaged" }
  /** It is done and answered after a while. */
  | { kind: "slow"; ms: number };
