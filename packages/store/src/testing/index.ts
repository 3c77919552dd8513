export { testStore } from "./test-store.ts";
export { exampleDraft } from "./example-draft.ts";
