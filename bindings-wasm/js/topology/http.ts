import { RingshiftError } from '../shapes.js';
import type { Asking, Topology } from '../client-types.js';
import type { Snapshot } from '../machine.js';

/** What may be chosen about {@link http}. */
export interface HttpOptions {
  /** How long a server may hold a watching request until there is news. 30 s. */
  readonly waitMs?: number | undefined;
  /** How long an answer may take beyond that. 10 s. */
  readonly timeoutMs?: number | undefined;
  /** Sent along: an authorization, say. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A server that answers GET with a topology record or a snapshot's bytes, and 304 to an
 * `If-None-Match` with the tag `"<epoch>-<digest>"` of the one in force; while it watches, a client
 * asks it to hold such an answer back by `Prefer: wait=<seconds>`. A server that keeps the one that
 * the tag names may answer 226 with the delta from it (`A-IM: ringshift-delta`).
 *
 * Fails with `topology_missing` (404), `topology_io`, and for a bad body `topology_format` or
 * `snapshot_format`.
 */
export function http(url: string | URL, options: HttpOptions = {}): Topology {
  const { waitMs = 30_000, timeoutMs = 10_000 } = options;

  async function get(
    asking: Asking, newerThan: number, wait: number, deltas = true,
  ): Promise<Snapshot | Uint8Array | null> {
    const { have, signal } = asking;
    const headers: Record<string, string> = { ...options.headers };
    if (have?.epoch === newerThan) {
      headers['if-none-match'] = `"${have.epoch}-${have.digest}"`;
      if (deltas) headers['a-im'] = 'ringshift-delta';
    }
    if (wait > 0) headers['prefer'] = `wait=${Math.ceil(wait / 1000)}`;
    const limit = AbortSignal.timeout(wait + timeoutMs);
    const both = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    try {
      const response = await (options.fetch ?? fetch)(url, { headers, signal: both });
      if (response.status === 304) return null;
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status === 226 && 'a-im' in headers) {
        try {
          return have!.advance(bytes);
        } catch {
          // Whatever was wrong with it, the whole makes good.
          return await get(asking, newerThan, 0, false);
        }
      }
      if (response.ok && response.status !== 226) return bytes;
      const code = response.status === 404 ? 'topology_missing' : 'topology_io';
      throw new RingshiftError(code, `\`${url}\` answered with status ${response.status}`);
    } catch (error) {
      if (error instanceof RingshiftError) throw error;
      signal?.throwIfAborted();
      const text = `\`${url}\` didn't answer: ${error instanceof Error ? error.message : error}`;
      throw new RingshiftError('topology_io', text, { cause: error });
    }
  }

  return {
    fetch: (newerThan, asking) => get(asking, newerThan, 0),
    watch: (newerThan, asking) => get(asking, newerThan, waitMs),
  };
}
