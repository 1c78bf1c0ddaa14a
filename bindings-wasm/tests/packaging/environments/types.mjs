// TypeScript consumers under each way of resolving modules, with the declarations checked too.
import { join } from "node:path";
import { here, versionOf } from "../lab.mjs";

const CONSUMER = `
import { Operation, RingshiftError, Router, Snapshot, fixed } from "ringshift";
import { fromTopology, memory } from "ringshift/local";
import type { Attempt, ClientOptions, Keyspace, Outcome, Step } from "ringshift";

export function shardsOf(bytes: Uint8Array, keys: readonly string[]): Uint16Array {
  const router = new Router(Snapshot.decode(bytes));
  const orders: Keyspace = router.keyspace("orders");
  return orders.routeMany(keys);
}

export function first(orders: Keyspace, now: number): Attempt | number | Outcome {
  const step: Step = Operation.read(orders, ["tenant", 7n], { deadlineMs: 5_000 }, now).poll();
  switch (step.type) {
    case "send":
      return step.attempt;
    case "refresh":
      return step.newerThan;
    case "wait":
      return step.until;
    case "done":
      return step.outcome;
  }
}

export const options = (json: string): ClientOptions => ({ topology: fixed(fromTopology(json)), store: memory() });

export const slug = (error: unknown): string | undefined =>
  error instanceof RingshiftError ? error.code : undefined;

// @ts-expect-error a key is never null
export const refused = (orders: Keyspace): number => orders.route(null);
`;

/** Compiles the consumer under one file name and one resolution. */
const consumer = (name, file, module, moduleResolution) => ({
  name,
  version: () => versionOf("typescript"),
  async run(lab) {
    const options = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      target: "es2022",
      lib: ["es2022", "dom"],
      types: [],
      module,
      moduleResolution,
    };
    const tsconfig = JSON.stringify({ compilerOptions: options, files: [file] });
    lab.fill({ [file]: CONSUMER, "tsconfig.json": tsconfig });
    await lab.run(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", "."]);
  },
});

export const environments = [
  consumer("typescript, ES module", "main.mts", "node16", "node16"),
  consumer("typescript, CommonJS", "main.cts", "node16", "node16"),
  consumer("typescript, bundler", "main.ts", "esnext", "bundler"),
];
