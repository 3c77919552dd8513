import { testJobKind } from "../testing.ts";

testJobKind("quantize", { params: { model: "tiny-base", calibration: { samples: 64 } } });
