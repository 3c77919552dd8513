import type { StoreDriver } from "../../driver.ts";

/** The driver of a place on S3, past the store: to write what the store itself never would. */
export async function openS3Driver(url: string): Promise<StoreDriver> {
  const { S3Driver } = await import("../../drivers/s3/driver.ts");
  return new S3Driver(url);
}
