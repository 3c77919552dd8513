import { describe, expect, it } from "vitest";
import { cpuInfo, parseCpuInfo } from "./cpu.ts";

describe("the processor", () => {
  it("is read from an x86 and from an ARM listing", () => {
    const x86 = "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nflags\t\t: fpu avx2 avx512_vnni sse4_2\n";
    expect(parseCpuInfo(x86)).toEqual({ model: "Some CPU @ 2GHz", flags: ["avx2", "avx512_vnni", "sse4_2"] });
    expect(parseCpuInfo("Features\t: fp asimd asimddp i8mm\n")).toEqual({ flags: ["asimd", "asimddp", "i8mm"] });
    expect(parseCpuInfo("")).toEqual({ flags: [] });
  });

  it("is known for this machine", () => {
    expect(cpuInfo().model).not.toBe("");
    expect(cpuInfo().threads).toBeGreaterThan(0);
  });
});
