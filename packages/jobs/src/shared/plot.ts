/** Charts as SVG, without any library: what an artifact's report shows a person. */

export interface Axis {
  label: string;
  /** Appended to every tick: "%". */
  unit?: string;
  log?: boolean;
}

/** A line across a chart, such as a limit. */
interface Level {
  name: string;
  y: number;
}

export interface LineChart {
  title: string;
  x: Axis;
  y: Axis;
  /** The points whose x is `marked` are drawn larger. */
  series: { name: string; points: readonly (readonly [x: number, y: number])[]; marked?: number | undefined }[];
  level?: Level;
}

export interface BarChart {
  title: string;
  y: Axis;
  /** `label` is written above the bar. */
  bars: { name: string; value: number; label?: string; highlighted?: boolean }[];
  /** What the two colours mean. */
  legend?: { plain: string; highlighted: string };
  level?: Level;
}

const WIDTH = 720;
const MARGIN = { top: 64, right: 24, bottom: 56, left: 84 };
const PLOT = { height: 300, width: WIDTH - MARGIN.left - MARGIN.right };
const COLOURS = ["#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#475569"];
const TICKS = 5;
/** Keeps a text legible where a line crosses it. */
const HALO = 'paint-order="stroke" stroke="#ffffff" stroke-width="4"';

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (content: string) => content.replaceAll(/[&<>"]/g, (found) => escapes[found] ?? found);
const place = (value: number) => String(Math.round(value * 10) / 10);

function text(at: { x: number; y: number }, content: string, attributes = ""): string {
  return `<text x="${place(at.x)}" y="${place(at.y)}" ${attributes}>${escape(content)}</text>`;
}

/** Round numbers that cover [low, high]: multiples of 1, 2 or 5 times a power of ten, or powers of ten. */
function ticksOf(low: number, high: number, log = false): number[] {
  if (log) {
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    const every = Math.max(1, Math.ceil((last - first) / TICKS));
    return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_none, at) => 10 ** (first + at * every));
  }
  const rough = (high - low || Math.abs(high) || 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const count = Math.ceil(high / step - 1e-9) - first;
  return Array.from({ length: Math.max(1, count) + 1 }, (_none, at) => Number(((first + at) * step).toPrecision(12)));
}

const number = (value: number) =>
  value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)
    ? value.toExponential(0)
    : String(Number(value.toPrecision(4)));

/** Where values lie between two ends of the plot, in pixels. */
function scaleOf(values: readonly number[], { log }: Axis, from: number, to: number) {
  const known = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  const none = log ? [1, 10] : [0, 1];
  const ticks = known.length > 0 ? ticksOf(Math.min(...known), Math.max(...known), log) : none;
  const project = log ? Math.log10 : (value: number) => value;
  const [low, high] = [project(ticks[0] ?? 0), project(ticks.at(-1) ?? 1)];
  const at = (value: number) => from + ((project(value) - low) / (high - low || 1)) * (to - from);
  return { ticks, at: (value: number) => at(log && !(value > 0) ? (ticks[0] ?? 1) : value) };
}

type Scale = ReturnType<typeof scaleOf>;

function frame(title: string, bottom: number, content: string[]): string {
  const style = 'font-family="system-ui, sans-serif" font-size="12" fill="#1f2937"';
  const height = MARGIN.top + PLOT.height + bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${style}>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text({ x: WIDTH / 2, y: 26 }, title, 'text-anchor="middle" font-size="15" font-weight="600"'),
    ...content,
    "</svg>",
    "",
  ].join("\n");
}

function yAxis(axis: Axis, { ticks, at }: Scale): string[] {
  const right = MARGIN.left + PLOT.width;
  const middle = MARGIN.top + PLOT.height / 2;
  return [
    ...ticks.map((tick) => `<path d="M${MARGIN.left} ${place(at(tick))}H${right}" stroke="#e5e7eb"/>`),
    ...ticks.map((tick) =>
      text({ x: MARGIN.left - 8, y: at(tick) + 4 }, `${number(tick)}${axis.unit ?? ""}`, 'text-anchor="end"'),
    ),
    text({ x: 0, y: 0 }, axis.label, `text-anchor="middle" transform="translate(20 ${middle}) rotate(-90)"`),
  ];
}

function xAxis(axis: Axis, { ticks, at }: Scale): string[] {
  const bottom = MARGIN.top + PLOT.height;
  return [
    ...ticks.map((tick) => `<path d="M${place(at(tick))} ${bottom}v5" stroke="#6b7280"/>`),
    ...ticks.map((tick) =>
      text({ x: at(tick), y: bottom + 20 }, `${number(tick)}${axis.unit ?? ""}`, 'text-anchor="middle"'),
    ),
    `<path d="M${MARGIN.left} ${bottom}h${PLOT.width}" stroke="#6b7280"/>`,
    text({ x: MARGIN.left + PLOT.width / 2, y: bottom + 44 }, axis.label, 'text-anchor="middle"'),
  ];
}

/** Above the plot, from the right; what finds no place goes into a line above. */
function legend(entries: { name: string; colour: string }[]): string[] {
  const edge = MARGIN.left + PLOT.width;
  let [right, bottom] = [edge, MARGIN.top - 8];
  return entries.toReversed().flatMap(({ name, colour }) => {
    const width = Math.ceil(name.length * 7.6) + 28;
    if (right - width < 0 && right < edge) [right, bottom] = [edge, bottom - 14];
    right -= width;
    const mark = `<rect x="${right + 14}" y="${bottom - 9}" width="10" height="10" rx="2" fill="${colour}"/>`;
    return [mark, text({ x: right + 28, y: bottom }, name)];
  });
}

const LEVEL_COLOUR = "#dc2626";

function levelLine({ y }: Level, up: Scale): string {
  const path = `M${MARGIN.left} ${place(up.at(y))}H${MARGIN.left + PLOT.width}`;
  return `<path d="${path}" stroke="${LEVEL_COLOUR}" stroke-dasharray="6 4"/>`;
}

/** A level's name stands in the legend, where nothing that is drawn can lie under it. */
function levelEntry(level?: Level): { name: string; colour: string }[] {
  return level ? [{ name: level.name, colour: LEVEL_COLOUR }] : [];
}

/** Lines with a mark at every point, and a legend. */
export function lineChart({ title, x, y, series, level }: LineChart): string {
  const points = series.flatMap((each) => each.points);
  const right = MARGIN.left + PLOT.width;
  const xs = points.map(([value]) => value);
  const across = scaleOf(xs, x, MARGIN.left, right);
  const ys = [...points.map(([, value]) => value), ...(level ? [level.y] : [])];
  const up = scaleOf(ys, y, MARGIN.top + PLOT.height, MARGIN.top);
  const coloured = series.map((each, at) => ({ ...each, colour: COLOURS[at % COLOURS.length] ?? "#000000" }));
  const lines = coloured.flatMap(({ colour, points: own, marked }) => {
    const places = own.map(([a, b]) => [place(across.at(a)), place(up.at(b)), a === marked ? 7 : 3.5] as const);
    return [
      `<path d="M${places.map(([cx, cy]) => `${cx} ${cy}`).join("L")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...places.map(([cx, cy, r]) => `<circle cx="${cx}" cy="${cy}" r="${r}" fill="${colour}"/>`),
    ];
  });
  const limit = level ? [levelLine(level, up)] : [];
  const content = [
    ...yAxis(y, up),
    ...xAxis(x, across),
    ...limit,
    ...lines,
    ...legend([...coloured, ...levelEntry(level)]),
  ];
  return frame(title, MARGIN.bottom, content);
}

/** Upright bars, their names slanted below them. */
export function barChart({ title, y, bars, legend: meaning, level }: BarChart): string {
  const ends = [...(y.log ? [] : [0]), ...(level ? [level.y] : [])];
  const up = scaleOf([...bars.map(({ value }) => value), ...ends], y, MARGIN.top + PLOT.height, MARGIN.top);
  const bottom = MARGIN.top + PLOT.height;
  const step = PLOT.width / Math.max(1, bars.length);
  const longest = Math.max(0, ...bars.map(({ name }) => name.length));
  const drawn = bars.flatMap(({ name, value, label, highlighted }, at) => {
    const [left, top] = [MARGIN.left + (at + 0.15) * step, up.at(value)];
    const colour = highlighted ? COLOURS[1] : COLOURS[0];
    const under = { x: left + 0.35 * step, y: bottom + 16 };
    const slanted = `text-anchor="end" transform="rotate(-35 ${place(under.x)} ${place(under.y)})"`;
    return [
      `<rect x="${place(left)}" y="${place(top)}" width="${place(0.7 * step)}" height="${place(bottom - top)}" fill="${colour}"/>`,
      text(under, name, slanted),
      ...(label ? [text({ x: under.x, y: top - 6 }, label, `text-anchor="middle" ${HALO}`)] : []),
    ];
  });
  const [plain = "", marked = ""] = COLOURS;
  const meanings = meaning
    ? [
        { name: meaning.plain, colour: plain },
        { name: meaning.highlighted, colour: marked },
      ]
    : [];
  const line = `<path d="M${MARGIN.left} ${bottom}h${PLOT.width}" stroke="#6b7280"/>`;
  const limit = level ? [levelLine(level, up)] : [];
  return frame(title, 28 + longest * 4.5, [
    ...yAxis(y, up),
    ...limit,
    ...drawn,
    line,
    ...legend([...meanings, ...levelEntry(level)]),
  ]);
}
