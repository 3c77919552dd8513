/** Every way in which Whittle refuses or fails, with what HTTP answers and whether trying again can help. */
const codes = {
  invalid_request: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  conflict: { status: 409, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  rate_limited: { status: 429, retryable: true },
  unsupported: { status: 501, retryable: false },
  cancelled: { status: 409, retryable: false },
  failed_dependency: { status: 424, retryable: false },
  corrupt: { status: 500, retryable: false },
  quarantined: { status: 500, retryable: false },
  internal: { status: 500, retryable: true },
  out_of_memory: { status: 500, retryable: true },
  worker_lost: { status: 500, retryable: true },
  timeout: { status: 504, retryable: true },
  unavailable: { status: 503, retryable: true },
} as const;

export type ErrorCode = keyof typeof codes;

/** One thing wrong with an input: where (`params.epochs`), and what would be right. */
export interface Issue {
  path: string;
  message: string;
}

/** The closed set of failures. Anything else that is thrown is a bug and is reported as `internal`. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly issues: Issue[];

  constructor(code: ErrorCode, message: string, options: { issues?: Issue[]; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.issues = options.issues ?? [];
  }

  get status(): number {
    return codes[this.code].status;
  }

  get retryable(): boolean {
    return codes[this.code].retryable;
  }

  toJSON(): SerializedError {
    return { code: this.code, message: this.message, ...(this.issues.length > 0 && { issues: this.issues }) };
  }
}

/** An AppError as it crosses a process boundary: child to worker, worker to queue, API to client. */
export interface SerializedError {
  code: ErrorCode;
  message: string;
  issues?: Issue[];
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(codes, value);
}

/** Makes an AppError of anything thrown or received; what is not one already becomes `internal`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, message, issues } = (error ?? {}) as Partial<SerializedError>;
  if (isErrorCode(code)) return new AppError(code, message ?? code, { issues: issues ?? [], cause: error });
  return new AppError("internal", error instanceof Error ? error.message : String(error), { cause: error });
}
