/**
 * What a client tells whoever watches: channels of `node:diagnostics_channel` by the names
 * `ringshift:install`, `ringshift:refresh` and `ringshift:operation`, where there are any.
 */

/** A module of the host's own, without an import that a bundler would follow. */
export function builtin<T>(name: string): T | undefined {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } })
    .process;
  return host?.getBuiltinModule?.(name) as T | undefined;
}

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

/** The channel of that name; `undefined` where the host has none. */
export function channel(name: string): Channel | undefined {
  const module = builtin<{ channel(name: string): Channel }>('node:diagnostics_channel');
  return module?.channel(`ringshift:${name}`);
}
