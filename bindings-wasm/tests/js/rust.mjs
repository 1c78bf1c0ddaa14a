// Programs of this repository's other half; cargo builds what isn't there.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('../../..', import.meta.url));

/** Where cargo has put both programs. The whole workspace's choice of features is what is built already. */
function built() {
  execFileSync('cargo', ['build', '-q', '--release', '--locked', '--bin', 'ringshift', '--example', 'live_reshard'], { cwd });
  return `${process.env.CARGO_TARGET_DIR ?? `${cwd}/target`}/release`;
}

/** Runs the operator's tool. */
export function ringshift(...args) {
  return execFileSync(`${built()}/ringshift`, args, { cwd, encoding: 'utf8' });
}

/** Serves the topology in the file at `path`: the process, and the topology's URL. */
export async function serve(path) {
  const given = ['serve', '--topology', path, '--listen', '127.0.0.1:0'];
  const child = spawn(`${built()}/ringshift`, given, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return [child, /http:\S+\/topology/.exec(line)[0]];
}

/** Starts the reshard of four SQLite shards to five in `folder`; what it ends with. */
export function reshard(folder, ...args) {
  const given = ['--dir', folder, '--brisk', '-q', '--json', ...args];
  const child = spawn(`${built()}/examples/live_reshard`, given, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (data) => (out += data));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code) => (code === 0 ? done(JSON.parse(out)) : failed(new Error(`exit code ${code}`))));
  });
}
