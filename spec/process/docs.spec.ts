import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { newApp, pathOf, repository } from '../support/linked-app'
import { type Block, blocksOf, textOf } from '../support/markdown'

jest.setTimeout(60_000)

const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...markdownIn('bench'),
  ...markdownIn('docs'),
  ...markdownIn('examples'),
]

it.each(pages)('the links of %s lead somewhere', (page) => {
  const links = [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, target = '']) => target,
  )
  expect(
    links.filter((target) => !/^https?:/.test(target) && !leadsSomewhere(page, target)),
  ).toEqual([])
})

it('the pages of the package link to files of the package only', () => {
  const { files } = JSON.parse(textOf('package.json')) as { files: string[] }
  const isPacked = (path: string): boolean =>
    files.some((entry) => path === entry || path.startsWith(`${entry}/`))
  const outside = pages.filter(isPacked).flatMap((page) =>
    [...withoutCode(textOf(page)).matchAll(/\]\(([^)#\s]+)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .filter(
        (target) => !isPacked(relative(repository, resolve(repository, dirname(page), target))),
      )
      .map((target) => `${page}: ${target}`),
  )
  expect(outside).toEqual([])
})

it('every page of docs is reached from the README', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) for (const linked of pagesLinkedFrom(page)) reached.add(linked)
  expect(markdownIn('docs').filter((page) => !reached.has(page))).toEqual([])
})

it('the index of docs links to every page but single decisions', () => {
  const listed = pagesLinkedFrom('docs/README.md')
  const expected = markdownIn('docs').filter(
    (page) => page !== 'docs/README.md' && !/^docs\/decisions\/\d/.test(page),
  )
  expect(expected.filter((page) => !listed.includes(page))).toEqual([])
})

it('every TypeScript block compiles', () => {
  const packages = [
    '@nestjs',
    '@types',
    'better-sqlite3',
    'class-validator',
    'prom-client',
    'reflect-metadata',
    'rxjs',
    'typeorm',
  ]
  const app = newApp(packages)
  const shared = blocksOf('README.md').filter(({ file, language }) => file && language === 'ts')
  const count = pages
    .map((page) => writeBlocks(join(app, page.replaceAll(/[/.]/g, '_')), blocksOf(page), shared))
    .reduce((sum, number) => sum + number, 0)
  writeFileSync(
    join(app, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: compilerOptions(), exclude: ['node_modules'] }),
  )

  const { status, stdout } = spawnSync('tsc', ['--noEmit'], {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, PATH: pathOf(app) },
  })

  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  expect(count).toBeGreaterThan(30)
})

describe('docs/reference/cli.md', () => {
  const sections = new Map(
    textOf('docs/reference/cli.md')
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split('\n')[0]!, section]),
  )
  const common = sections.get('Every command')!
  const commands = [...sections.keys()].filter((name) => name !== 'Every command')

  it('names every command that there is, and no other', () => {
    const listed = helpOf().split('Commands:')[1]!.split('\n\n')[0]!
    const names = [...listed.matchAll(/^ {2}(\w+)/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== 'help')
    expect(commands.toSorted()).toEqual(names.toSorted())
  })

  it('names the options of every command', () => {
    expect(optionsIn(common)).toEqual(
      optionsIn(helpOf()).filter(
        (option) => !['--help', '--version', '--queue-name'].includes(option),
      ),
    )
  })

  it.each(commands)('names the options that %s has, and no other', (command) => {
    const own = helpOf(command)
      .split('Options:')[1]!
      .split('Global Options:')[0]!
      .split('Commands:')[0]!
    const taken = [...own.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)]
      .map(([, option]) => option!)
      .filter((option) => option !== '--help')
    const documented = [...sections.get(command)!.matchAll(/^\| ([^|]*)\|/gm)].flatMap(
      ([, cell = '']) => optionsIn(cell),
    )
    expect([...new Set(documented)].toSorted()).toEqual(taken.toSorted())
  })
})

function markdownIn(folder: string): string[] {
  const found = readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
  return found
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => join(folder, name))
    .toSorted()
}

function pagesLinkedFrom(page: string): string[] {
  return [...textOf(page).matchAll(/\]\(([^)#\s]+\.md)/g)].map(([, target = '']) =>
    relative(repository, resolve(repository, dirname(page), target)),
  )
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '')
}

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : relative(repository, resolve(repository, dirname(page), path))
  if (!existsSync(join(repository, file))) return false
  return anchor === undefined || headingsOf(file).includes(anchor)
}

/** As GitHub makes anchors of headings. */
function headingsOf(page: string): string[] {
  return [...withoutCode(textOf(page)).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

/** Pages share the files that the README's blocks name; other blocks are modules of their own. */
function writeBlocks(folder: string, blocks: readonly Block[], shared: readonly Block[]): number {
  const typescript = blocks.filter(({ language, mark }) => language === 'ts' && mark === '')
  for (const { file, text } of [...shared, ...typescript]) if (file) write(join(folder, file), text)
  for (const [number, { file, text }] of typescript.entries())
    if (!file) write(join(folder, `block-${number + 1}.ts`), `${text}\nexport {}\n`)
  return typescript.length
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function compilerOptions(): object {
  const lenient = { skipLibCheck: true, experimentalDecorators: true, emitDecoratorMetadata: true }
  return {
    ...lenient,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    types: ['node'],
  }
}

function helpOf(...command: string[]): string {
  return execFileSync(
    process.execPath,
    [join(repository, 'dist/cli/index.js'), ...command, '--help'],
    { encoding: 'utf8' },
  )
}

function optionsIn(text: string): string[] {
  return [...new Set(text.match(/--[a-z][\w-]+/g))].toSorted()
}
