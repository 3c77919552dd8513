import { testJobKind } from "../testing.ts";

testJobKind("evaluate", { params: { model: "tiny-base" } });
