import { describe } from "vitest";
import type { StoreDriver } from "../driver.ts";
import { aliasTests, publicationAliasTests } from "./alias-tests.ts";
import { collectTests } from "./collect-tests.ts";
import { contentTests } from "./content-tests.ts";
import { datasetTests } from "./dataset-tests.ts";
import { deletionTests } from "./deletion-tests.ts";
import { driverTests } from "./driver-tests.ts";
import { auditTests } from "./audit-tests.ts";
import { encodingTests } from "./encoding-tests.ts";
import { fenceTests } from "./fence-tests.ts";
import { identityTests } from "./identity-tests.ts";
import { lineageTests } from "./lineage-tests.ts";
import { draftTests, publishTests } from "./publish-tests.ts";
import { damageTests, readTests } from "./read-tests.ts";
import { scratchTests } from "./scratch-tests.ts";
import { stepTests } from "./step-tests.ts";

/** Makes a driver on a new, empty place; `again` makes one more on the same place, as another process would. */
export type MakeDriver = () => Promise<{ driver: StoreDriver; again: () => StoreDriver }>;

/** The conformance suite: what every store driver, and the store on top of it, must do. */
export function testStore(name: string, makeDriver: MakeDriver): void {
  describe(`store on ${name}`, () => {
    driverTests(makeDriver);
    identityTests(makeDriver);
    publishTests(makeDriver);
    draftTests(makeDriver);
    fenceTests(makeDriver);
    stepTests(makeDriver);
    readTests(makeDriver);
    damageTests(makeDriver);
    contentTests(makeDriver);
    aliasTests(makeDriver);
    publicationAliasTests(makeDriver);
    deletionTests(makeDriver);
    datasetTests(makeDriver);
    lineageTests(makeDriver);
    scratchTests(makeDriver);
    encodingTests(makeDriver);
    collectTests(makeDriver);
    auditTests(makeDriver);
  });
}
