import { MultiBar, Presets, type SingleBar } from "cli-progress";

/** Standard output, a terminal or not. */
export type ProgressStream = NodeJS.WritableStream & { isTTY?: boolean };

/** Shows how far several jobs are. */
export interface ProgressView {
  update(name: string, fraction: number, stage: string): void;
  /** A line above the bars. */
  line(text: string): void;
  close(): void;
}

/** Bars on a terminal; elsewhere a line for each new stage and at most one for every tenth of the way. */
export function createProgress(names: string[], out: ProgressStream = process.stdout): ProgressView {
  return out.isTTY ? bars(names, out) : lines(out);
}

function bars(names: string[], stream: ProgressStream): ProgressView {
  const width = Math.max(...names.map((name) => name.length));
  const multi = new MultiBar(
    { stream, format: "  {name} {bar} {percentage}% {stage}", barsize: 24, hideCursor: true, autopadding: true },
    Presets.shades_classic,
  );
  const start = (name: string): SingleBar => multi.create(1, 0, { name: name.padEnd(width), stage: "waiting" });
  const all = new Map(names.map((name) => [name, start(name)]));
  return {
    update: (name, fraction, stage) => all.get(name)?.update(fraction, { stage }),
    line: (text) => multi.log(`${text}\n`),
    close: () => {
      // Lines wait for the next redraw.
      multi.update();
      multi.stop();
    },
  };
}

function lines(stream: ProgressStream): ProgressView {
  const last = new Map<string, string>();
  return {
    update(name, fraction, stage) {
      const key = `${stage}/${Math.floor(fraction * 10)}`;
      if (last.get(name) === key) return;
      last.set(name, key);
      stream.write(`${name}: ${Math.round(fraction * 100)}% ${stage}\n`);
    },
    line: (text) => stream.write(`${text}\n`),
    close: () => {},
  };
}
