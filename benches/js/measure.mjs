// Candidates run in turns within one process: what the machine does to one, it does to all. Round 0
// warms up; cells are medians, and a ratio is the median of the ratios within each round.

/** The median of numbers. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Times candidates round-robin.
 * @param {{name: string, calls: number, run: () => number}[]} candidates `run` makes `calls` calls
 *   and answers something that depends on each, so that none can be left out.
 * @param {number} rounds rounds that count
 * @returns {{name: string, calls: number, rounds: number[], ns: number, min: number, max: number}[]}
 */
export function measure(candidates, rounds) {
  const results = candidates.map(({ name, calls }) => ({ name, calls, rounds: [] }));
  let sink = 0;
  for (let round = 0; round <= rounds; round++) {
    candidates.forEach(({ run, calls }, at) => {
      const begun = process.hrtime.bigint();
      sink += run();
      const ns = Number(process.hrtime.bigint() - begun) / calls;
      if (round > 0) results[at].rounds.push(ns);
    });
  }
  if (Number.isNaN(sink)) throw new Error('a candidate answered no number');
  return results.map((result) => ({
    ...result,
    ns: median(result.rounds),
    min: Math.min(...result.rounds),
    max: Math.max(...result.rounds),
  }));
}

/** The median over rounds of `a`'s time divided by `b`'s. */
export function ratio(results, a, b) {
  const rounds = (name) => results.find((result) => result.name === name).rounds;
  return median(rounds(a).map((ns, round) => ns / rounds(b)[round]));
}
