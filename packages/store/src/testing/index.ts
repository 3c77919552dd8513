export { testStore } from "./test-store.ts";
export { exampleDraft } from "./example-draft.ts";
export { openS3Driver } from "./s3/open-driver.ts";
export { startS3Server, type S3Operation, type S3ServerOptions } from "./s3/server.ts";
export type { S3Fault } from "./s3/failure.ts";
