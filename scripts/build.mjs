// Builds `dist` from scratch: stale files of an earlier layout would be packed otherwise.
// With --if-stale only when a source, or a folder of sources, is newer than the build.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
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
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'

const SOURCES = ['lib', 'entities', 'backends', 'cli', 'dashboard', 'integrations', 'testing']
const FILES = ['index.ts', 'tsconfig.json', 'package.json', 'node_modules/typescript/package.json']
/** What the page may weigh, gzipped: it is loaded over slow lines, too. */
const MOST_PAGE_BYTES = 40 * 1024
/** What is bundled into the page. */
const IN_PAGE = ['preact']
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
    legalComments: 'none',
    tsconfigRaw: {},
  })
  mkdirSync('dist/dashboard/page', { recursive: true })
  for (const { path, contents } of outputFiles) writeFileSync(path, contents)
  const icon = readFileSync('dashboard/page/favicon.svg')
  writeFileSync(`dist/dashboard/page/app.${hashOf(icon)}.svg`, icon)
  writeFileSync('dist/dashboard/page/LICENCES.txt', licences())
  assertSmall([...outputFiles.map(({ contents }) => contents), icon])
}

function hashOf(contents) {
  return createHash('sha256').update(contents).digest('hex').slice(0, 8).toUpperCase()
}

/** Of the packages whose code is in the page. */
function licences() {
  const texts = IN_PAGE.map((name) => {
    const folder = join('node_modules', name)
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`
  })
  return texts.join(`\n${'-'.repeat(72)}\n\n`)
}

function assertSmall(files) {
  const bytes = files.reduce((sum, contents) => sum + gzipSync(contents).length, 0)
  if (bytes > MOST_PAGE_BYTES)
    throw new Error(
      `The page of the dashboard has ${bytes} bytes gzipped. Make it smaller: at most ${MOST_PAGE_BYTES}.`,
    )
  // Not to standard output, which may be that of a program that is built first.
  console.error(`page of the dashboard: ${(bytes / 1024).toFixed(1)} KB gzipped`)
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
