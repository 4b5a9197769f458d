// Measuring: each case in turn, five rounds, so that a slow moment of the machine hits all of them; medians are compared.

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, and the ratio to it. */
  readonly anchor: string;
  readonly ratio: number | null;
  readonly goal: string;
  readonly met: boolean | null;
}

export const ROUNDS = 5;

/** Runs every case once a round and answers each one's median. A case answers its own figure, so that it may prepare unmeasured. */
export function interleaved<K extends string>(cases: Readonly<Record<K, () => number>>, rounds = ROUNDS): Record<K, number> {
  const names = Object.keys(cases) as K[];
  const figures = new Map<K, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const name of names) {
      globalThis.gc?.();
      figures.get(name)!.push(cases[name]());
    }
  return Object.fromEntries(names.map((name) => [name, median(figures.get(name)!)])) as Record<K, number>;
}

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** Seconds that a piece of work takes. */
export function seconds(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

/** The same in time of the processors: for two cases that differ by little, on a machine that others use as well. */
export function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

export const atLeast = (ratio: number, goal: number): Pick<Row, 'ratio' | 'goal' | 'met'> => ({
  ratio,
  goal: `>= ${goal}`,
  met: ratio >= goal,
});
export const atMost = (ratio: number, goal: number): Pick<Row, 'ratio' | 'goal' | 'met'> => ({
  ratio,
  goal: `<= ${goal}`,
  met: ratio <= goal,
});
export const figure = { anchor: '', ratio: null, goal: '', met: null } as const;

/** A figure with three digits that count. */
export function short(value: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e6, ' M'],
    [1e3, ' k'],
  ];
  for (const [size, unit] of units) if (value >= size) return `${(value / size).toPrecision(3)}${unit}`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ name, value, unit, anchor, ratio, goal, met }) => [
    name,
    `${short(value)} ${unit}`,
    ratio === null ? '' : `${ratio.toPrecision(3)} of ${anchor}`,
    goal,
    met === null ? '' : met ? 'met' : 'MISSED',
  ]);
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...cells.map((row) => row[i]!.length), 4));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
