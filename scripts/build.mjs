// Builds `dist` from scratch: stale files of an earlier layout would be packed otherwise.
// With --if-stale only when a source, or a folder of sources, is newer than the build.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

const SOURCES = ['lib', 'entities', 'backends', 'cli', 'dashboard']
const FILES = ['index.ts', 'tsconfig.json', 'package.json', 'node_modules/typescript/package.json']
/** Made last, so a build that did not end is stale. */
const LAST = 'dist/cli/index.js'

if (!process.argv.includes('--if-stale') || isStale()) build()

function build() {
  rmSync('dist', { recursive: true, force: true })
  // Not `npx tsc`: other versions of TypeScript, installed for the specs, have a program of that name, too.
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
    stdio: 'inherit',
  })
  buildPage()
  bundle('dist/dashboard/bundled/cron-words.js', 'cronstrue')
  chmodSync(LAST, 0o755)
}

/** The page of the dashboard, with all that it needs: hashed files, which browsers keep. */
function buildPage() {
  const { outputFiles } = buildSync({
    entryPoints: { app: 'dashboard/page/app.tsx' },
    bundle: true,
    minify: true,
    write: false,
    outdir: 'dist/dashboard/page',
    entryNames: '[name].[hash]',
    format: 'esm',
    target: ['es2022', 'chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'inline',
    tsconfigRaw: {},
  })
  mkdirSync('dist/dashboard/page', { recursive: true })
  for (const { path, contents } of outputFiles) writeFileSync(path, contents)
}

/** Puts into a module what it imports of a package that apps need not install, and the licence of that. */
function bundle(file, name) {
  const licence = readFileSync(`node_modules/${name}/LICENSE`, 'utf8')
  const [{ contents }] = buildSync({
    entryPoints: [file],
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    legalComments: 'inline',
    banner: { js: `/*! ${name}\n${licence} */` },
  }).outputFiles
  writeFileSync(file, contents)
}

function isStale() {
  if (!existsSync(LAST) || (statSync(LAST).mode & 0o111) === 0) return true
  // A folder is newer when a file in it was removed or renamed.
  const inside = SOURCES.flatMap((folder) => [
    folder,
    ...readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  ])
  const newest = Math.max(...[...FILES, ...inside].map((path) => statSync(path).mtimeMs))
  return newest > statSync(LAST).mtimeMs
}
