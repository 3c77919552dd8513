import { describe, expect, it } from "vitest";
import { barChart, lineChart } from "./plot.ts";

const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, content]) => content);
const attribute = (svg: string, element: string, name: string) =>
  [...svg.matchAll(new RegExp(`<${element}[^>]* ${name}="([^"]*)"`, "g"))].map(([, value]) => Number(value));

describe("a line chart", () => {
  const svg = lineChart({
    title: "Accuracy <by> bits",
    x: { label: "Bits" },
    y: { label: "Accuracy", unit: "%" },
    series: [
      {
        name: "nearest",
        points: [
          [1, 50],
          [4, 90],
          [8, 98],
        ],
      },
      {
        name: "adaround",
        points: [
          [1, 60],
          [8, 98],
        ],
      },
    ],
    level: { name: "least", y: 97 },
  });

  it("says what is drawn: title, axes with units, legend, level", () => {
    expect(texts(svg)).toEqual(
      expect.arrayContaining(["Accuracy &lt;by&gt; bits", "Bits", "Accuracy", "nearest", "adaround", "least"]),
    );
    expect(texts(svg)).toEqual(expect.arrayContaining(["50%", "100%"]));
  });

  it("puts larger values further right and higher up, in proportion, inside the picture", () => {
    const [x1 = 0, x4 = 0, x8 = 0] = attribute(svg, "circle", "cx");
    const [y50 = 0, y90 = 0, y98 = 0] = attribute(svg, "circle", "cy");
    expect((x4 - x1) / (x8 - x1)).toBeCloseTo(3 / 7, 2);
    expect((y50 - y90) / (y50 - y98)).toBeCloseTo(40 / 48, 2);
    const [width = 0] = attribute(svg, "svg", "width");
    expect(x8).toBeLessThan(width);
    expect(y98).toBeGreaterThan(0);
  });

  it("draws the points that are marked larger, and puts names that find no place in a line above", () => {
    const names = ["a", "b", "c"].map((letter) => letter.repeat(40));
    const series = names.map((name) => ({ name, points: [[1, 1] as const, [2, 3] as const], marked: 2 }));
    const marked = lineChart({ title: "t", x: { label: "x" }, y: { label: "y" }, series });
    expect(attribute(marked, "circle", "r")).toEqual([3.5, 7, 3.5, 7, 3.5, 7]);
    const legend = names.map((name) => marked.match(new RegExp(`<text x="([\\d.]+)" y="([\\d.]+)"[^>]*>${name}<`)));
    const [a, b, c] = legend.map((found) => ({ begin: Number(found?.[1]), y: Number(found?.[2]) }));
    expect(b?.y).toBe(c?.y);
    expect(a?.y).toBeLessThan(b?.y ?? 0);
    expect(Math.min(...[a, b, c].map((each) => each?.begin ?? -1))).toBeGreaterThan(0);
  });

  it("is well formed where there is nothing to draw", () => {
    expect(lineChart({ title: "t", x: { label: "x" }, y: { label: "y" }, series: [] })).not.toMatch(/NaN|Infinity/);
  });
});

describe("a bar chart", () => {
  it("has bars as high as their values, from 0, and names them", () => {
    const svg = barChart({
      title: "t",
      y: { label: "KL" },
      bars: [
        { name: "a", value: 1 },
        { name: "b", value: 4 },
      ],
    });
    const [, a = 0, b = 0] = attribute(svg, "rect", "height");
    expect(b / a).toBeCloseTo(4, 2);
    expect(texts(svg)).toEqual(expect.arrayContaining(["a", "b", "KL"]));
  });

  it("has powers of ten between its bars where they differ by orders of magnitude", () => {
    const bars = [1e-5, 0, 0.1].map((value, at) => ({ name: `layer ${at}`, value }));
    const svg = barChart({ title: "t", y: { label: "KL", log: true }, bars });
    expect(texts(svg)).toEqual(expect.arrayContaining(["1e-5", "0.001", "0.1"]));
    expect(svg).not.toMatch(/NaN|Infinity/);
    const zeros = barChart({ title: "t", y: { label: "KL", log: true }, bars: [{ name: "a", value: 0 }] });
    expect(zeros).not.toMatch(/NaN|Infinity/);
  });
});
