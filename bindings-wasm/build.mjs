// Builds the npm package: cargo → wasm-bindgen → wasm-opt → esbuild → npm pack, into `dist/`.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { inLetters } from './letters.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const out = join(root, 'dist', 'npm');
const pkg = join(out, 'package');
const files = join(pkg, 'dist');

function run(command, args, cwd = root, env = {}) {
  console.log(`$ ${command} ${args.join(' ')}`);
  return execFileSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
}

const metadata = JSON.parse(run('cargo', ['metadata', '--format-version', '1', '--no-deps']));
const { version } = metadata.packages.find(({ name }) => name === 'ringshift-wasm');

rmSync(out, { recursive: true, force: true });
mkdirSync(files, { recursive: true });

// The module.
const TARGET = 'wasm32-unknown-unknown';
const FEATURES = [
  'bulk-memory', 'bulk-memory-opt', 'sign-ext', 'mutable-globals', 'nontrapping-float-to-int',
  'reference-types', 'multivalue', 'call-indirect-overlong',
].map((feature) => `--enable-${feature}`);

// Node 20 dies ("unreachable code" in the deoptimizer) when a function whose result is a reference
// is called from optimised JavaScript and calls JavaScript that makes it deoptimise. So results are
// numbers: wasm-bindgen goes by this mark in the module's list of features.
function withoutReferences(module) {
  const mark = module.indexOf('+\x0freference-types');
  if (mark >= 0) module[mark] = '-'.charCodeAt(0);
  return module;
}

function module(to, features) {
  const args = ['build', '--quiet', '-p', 'ringshift-wasm', '--lib', '--target', TARGET, '--profile', 'wasm'];
  // SHA-256 is for a snapshot now and then: a loop for it is a twentieth of the module smaller.
  const flags = '-C target-feature=-reference-types --cfg sha2_backend_soft="compact"';
  run('cargo', [...args, '--no-default-features', '--features', features], root, {
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: flags,
  });
  mkdirSync(to, { recursive: true });
  const raw = join(to, 'ringshift_wasm.wasm');
  const made = readFileSync(join(metadata.target_directory, TARGET, 'wasm', 'ringshift_wasm.wasm'));
  writeFileSync(raw, withoutReferences(made));
  const names = ['--remove-name-section', '--remove-producers-section'];
  run('wasm-bindgen', ['--target', 'bundler', ...names, '--out-dir', to, raw]);
  const bound = join(to, 'ringshift_wasm_bg.wasm');
  const optimised = join(to, 'ringshift.wasm');
  run(join(here, 'node_modules', '.bin', 'wasm-opt'), ['-O3', ...FEATURES, bound, '-o', optimised], here);
  const types = readFileSync(join(to, 'ringshift_wasm.d.ts'), 'utf8');
  writeFileSync(join(to, 'gen.d.ts'), `${types}\nexport function __wbg_set_wasm(exports: unknown): void;\n`);
  return optimised;
}

/** What an entry is made of: the exports, the bindings and the module beside them. */
function flavour(main, name, features) {
  const gen = join(out, `gen-${name}`);
  const wasm = module(gen, features);
  cpSync(wasm, join(files, `${name}.wasm`));
  return { main, name, gen, wasm };
}
const usual = flavour('main.ts', 'ringshift', 'client');
const local = flavour('local-main.ts', 'ringshift-local', 'local');
const together = flavour('transactions-main.ts', 'ringshift-transactions', 'transactions');
const whole = flavour('migrate-main.ts', 'ringshift-migrate', 'migrate');

// The entries.
const parts = ({ main, name, gen, wasm }) => ({
  name: 'parts',
  setup(build) {
    const at = (filter, path) => build.onResolve({ filter }, () => path);
    at(/^ringshift-gen$/, { path: join(gen, 'ringshift_wasm_bg.js') });
    at(/^ringshift-main$/, { path: join(here, 'js', main) });
    at(/^ringshift-module\.wasm$/, { path: `./${name}.wasm`, external: true });
    at(/^ringshift-letters$/, { path: name, namespace: 'letters' });
    // One copy of the error's class: the bindings' own, and ours.
    at(/shapes\.js$/, { path: join(here, 'js', 'shapes.js') });
    // What is the client's own elsewhere is part of the largest entry.
    if (name === whole.name) at(/^ringshift$/, { path: join(here, 'js', 'main.ts') });
    build.onLoad({ filter: /./, namespace: 'letters' }, () => ({ contents: inLetters(readFileSync(wasm)) }));
  },
});

async function entry(flavour, from, to, format, external = []) {
  const { metafile, warnings } = await esbuild.build({
    entryPoints: [join(here, 'js', 'entry', from)],
    outfile: join(files, to),
    format,
    external,
    bundle: true,
    metafile: true,
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: true,
    platform: 'neutral',
    target: 'es2022',
    legalComments: 'none',
    banner: { js: '/*! ringshift, MIT OR Apache-2.0. */' },
    plugins: [parts(flavour)],
  });
  // An export that this flavour of the module doesn't have, say.
  if (warnings.length > 0) throw new Error(`esbuild has warned about \`${to}\``);
  return Object.values(metafile.outputs).flatMap((output) => output.exports);
}

/** An entry for bundlers and browsers, for both of Node's module systems, and for workers. */
async function entries(flavour, name, suffix, external = []) {
  const names = await entry(flavour, 'index.ts', `${name}.mjs`, 'esm', external);
  await entry(flavour, 'index.ts', `${name}.cjs`, 'cjs', external);
  await entry(flavour, 'workerd.ts', `workerd${suffix}.mjs`, 'esm', external);
  // One instance for both of Node's module systems.
  writeFileSync(join(files, `node${suffix}.mjs`),
    `import cjs from './${name}.cjs';\nexport const { ${names.join(', ')} } = cjs;\n`);
}

async function types(from, to, external = ['ringshift', 'ringshift/local']) {
  const bundle = await rollup({
    input: join(here, 'js', from),
    plugins: [dts({ tsconfig: join(here, 'tsconfig.json') })],
    external,
    onwarn: (warning) => { throw new Error(warning.message); },
  });
  // `using` needs declarations that ES2022 lacks; a consumer need not know.
  const banner = '/// <reference lib="esnext.disposable" />';
  await bundle.write({ file: join(files, `${to}.d.ts`), banner });
  cpSync(join(files, `${to}.d.ts`), join(files, `${to}.d.cts`));
}

await entries(usual, 'index', '');
await entries(local, 'local', '-local', ['ringshift']);
await entries(together, 'transactions', '-transactions', ['ringshift']);
await entries(whole, 'migrate', '-migrate');
await entry(usual, 'slim.ts', 'slim.mjs', 'esm');
for (const [format, extension] of [['esm', 'mjs'], ['cjs', 'cjs']]) {
  await entry(usual, '../stores/sqlite/index.ts', `stores/sqlite.${extension}`, format, ['ringshift', 'ringshift/local']);
}
await types('main.ts', 'index');
await types('local-main.ts', 'local');
await types('transactions-main.ts', 'transactions');
await types('migrate-main.ts', 'migrate', []);
await types('entry/slim.ts', 'slim');
await types('stores/sqlite/index.ts', 'stores/sqlite');
rmSync(join(files, 'slim.d.cts'));

// The package.
const both = (name, from) => ({
  import: { types: `./dist/${name}.d.ts`, default: `./dist/${from}.mjs` },
  require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
});
const paths = (name, suffix) => ({
  workerd: { types: `./dist/${name}.d.ts`, default: `./dist/workerd${suffix}.mjs` },
  node: both(name, `node${suffix}`),
  ...both(name, name),
});
writeFileSync(join(pkg, 'package.json'), `${JSON.stringify({
  name: 'ringshift',
  version,
  description: 'Route keys to shards, and keep doing so correctly while data moves under you',
  license: 'MIT OR Apache-2.0',
  keywords: ['sharding', 'resharding', 'consistent-hashing', 'migration', 'router'],
  type: 'module',
  engines: { node: '>=20' },
  peerDependencies: { 'better-sqlite3': '>=12' },
  peerDependenciesMeta: { 'better-sqlite3': { optional: true } },
  sideEffects: ['./dist/*.mjs', './dist/*.cjs'],
  files: ['dist'],
  main: './dist/index.cjs',
  module: './dist/index.mjs',
  types: './dist/index.d.ts',
  exports: {
    '.': paths('index', ''),
    './local': paths('local', '-local'),
    './transactions': paths('transactions', '-transactions'),
    './migrate': paths('migrate', '-migrate'),
    './stores/sqlite': both('stores/sqlite', 'stores/sqlite'),
    './slim': { types: './dist/slim.d.ts', default: './dist/slim.mjs' },
    './ringshift.wasm': './dist/ringshift.wasm',
    './ringshift-local.wasm': './dist/ringshift-local.wasm',
    './ringshift-transactions.wasm': './dist/ringshift-transactions.wasm',
    './ringshift-migrate.wasm': './dist/ringshift-migrate.wasm',
    './package.json': './package.json',
  },
}, null, 2)}\n`);
for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) cpSync(join(root, name), join(pkg, name));
cpSync(join(here, 'README.md'), join(pkg, 'README.md'));
const tarball = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', join(root, 'dist')], pkg))[0];

// For tests here, and whoever else looks for the package from here.
rmSync(join(here, 'node_modules', 'ringshift'), { recursive: true, force: true });
symlinkSync(pkg, join(here, 'node_modules', 'ringshift'), 'junction');

// Its size.
// What a client needs. What would make it larger has to be worth it, or go to an entry of its own.
const GZIP_MAX = 75.5 * 1024;
const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
for (const name of ['ringshift.wasm', 'index.mjs', 'transactions.mjs', 'local.mjs', 'migrate.mjs']) {
  const path = join(files, name);
  console.log(`${name}: ${kb(statSync(path).size)}, gzip ${kb(gzipSync(readFileSync(path), { level: 9 }).length)}`);
}
console.log(`${tarball.filename}: ${kb(tarball.size)}`);
const travels = gzipSync(readFileSync(join(files, 'index.mjs')), { level: 9 }).length;
if (travels > GZIP_MAX) {
  console.error(`the default entry has ${kb(travels)} with gzip; at most ${kb(GZIP_MAX)} are allowed`);
  process.exitCode = 1;
}
