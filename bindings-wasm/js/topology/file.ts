import { RingshiftError } from '../shapes.js';
import { builtin } from '../observe.js';
import { snapshotIn } from '../snapshot.js';
import type { FromTopology } from '../snapshot.js';
import type { Topology } from '../client-types.js';

/** A snapshot's bytes and a record's end in a digest of everything before. */
const DIGEST_BYTES = 32;

interface Handle {
  stat(): Promise<{ size: number }>;
  read(
    into: Uint8Array,
    offset: number,
    length: number,
    at: number,
  ): Promise<{ bytesRead: number }>;
  readFile(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What may be chosen about {@link file}. */
export interface FileOptions {
  /** That of `ringshift/local`, where the file may have a topology in JSON, as `ringshift init` writes it. */
  readonly fromTopology?: FromTopology | undefined;
}

/**
 * A file with a topology record (which a coordinator replaces as a whole) or a snapshot's bytes. Asking costs the reading of 32 bytes when nothing has changed. Needs Node's
 * files: Node from 20.16 on, Bun, Deno.
 *
 * Fails with `topology_missing`, `topology_io`, `topology_format`, `snapshot_format` or `topology`.
 */
export function file(path: string | URL, { fromTopology }: FileOptions = {}): Topology {
  const fs = builtin<{ open(path: string | URL): Promise<Handle> }>('node:fs/promises');
  let seen = { tail: '', epoch: 0 };
  return {
    async fetch(newerThan) {
      if (fs === undefined) {
        throw new RingshiftError('topology_io', 'there are no files here; use `http(url)`');
      }
      let handle: Handle | undefined;
      try {
        handle = await fs.open(path);
        // The open file is one record, whatever its name is given to meanwhile.
        const { size } = await handle.stat();
        const end = new Uint8Array(DIGEST_BYTES);
        await handle.read(end, 0, DIGEST_BYTES, Math.max(0, size - DIGEST_BYTES));
        const tail = `${size} ${end.join()}`;
        if (tail === seen.tail && seen.epoch <= newerThan) return null;
        const snapshot = snapshotIn(await handle.readFile(), fromTopology);
        seen = { tail, epoch: snapshot.epoch };
        return snapshot.epoch > newerThan ? snapshot : null;
      } catch (error) {
        if (error instanceof RingshiftError) throw error;
        const missing = (error as { code?: unknown }).code === 'ENOENT';
        throw new RingshiftError(
          missing ? 'topology_missing' : 'topology_io',
          missing ? `there is no file \`${path}\`` : `\`${path}\` can't be read: ${error}`,
          { cause: error },
        );
      } finally {
        await handle?.close();
      }
    },
  };
}
