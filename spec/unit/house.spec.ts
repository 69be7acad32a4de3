import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve, dirname } from 'node:path'

const root = join(__dirname, '../..')

/** What each room may import: rooms by name, packages by name; `types` only as types. */
const house: Record<string, { rooms: string[]; packages: string[]; types?: string[] }> = {
  lib: {
    rooms: [],
    packages: ['class-validator', 'class-transformer', 'fastest-levenshtein'],
    types: ['typeorm'],
  },
  entities: { rooms: ['lib'], packages: ['typeorm', 'reflect-metadata'] },
  backends: { rooms: ['lib', 'entities'], packages: ['typeorm', 'class-validator', 'uuid'] },
  cli: {
    // `index` is the door: it makes the built-in backends known.
    rooms: ['lib', 'entities', 'backends', 'index'],
    packages: [
      'typeorm',
      'commander',
      'chokidar',
      'cli-progress',
      'get-tsconfig',
      'resolve-pkg-maps',
      'tinyglobby',
    ],
  },
}

interface Import {
  from: string
  target: string
  typeOnly: boolean
}

function sourcesOf(room: string): string[] {
  return readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(room, name))
}

function importsOf(file: string): Import[] {
  const source = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  const found = [
    ...source.matchAll(/^(?:import|export)\s+(type\s)?[^'"`;]*?from '([^']+)'/gm),
    ...source.matchAll(/^import ()'([^']+)'/gm),
    ...source.matchAll(/(?:import|require)(\()'([^']+)'\)/g),
  ]
  return found.map(([, type = '', target = '']) => ({
    from: file,
    target,
    typeOnly: type.trim() === 'type',
  }))
}

function roomOf({ from, target }: Import): string {
  return relative(root, resolve(root, dirname(from), target)).split('/')[0] ?? ''
}

function packageOf(target: string): string {
  return target.startsWith('@')
    ? target.split('/').slice(0, 2).join('/')
    : (target.split('/')[0] ?? '')
}

describe.each(Object.entries(house))('%s/', (room, { rooms, packages, types = [] }) => {
  const imports = sourcesOf(room).flatMap(importsOf)

  it('has files that import something', () => {
    expect(imports.length).toBeGreaterThan(0)
  })

  it(`opens onto ${rooms.join(', ') || 'no other room'}`, () => {
    const strays = imports
      .filter(({ target }) => target.startsWith('.'))
      .filter((found) => ![room, ...rooms].includes(roomOf(found)))
    expect(strays.map(({ from, target }) => `${from} reaches into ${target}`)).toEqual([])
  })

  it(`uses ${packages.join(', ')} and what Node has`, () => {
    const strangers = imports.filter(
      ({ target }) => !target.startsWith('.') && !target.startsWith('node:'),
    )
    const refused = strangers.filter(
      ({ target, typeOnly }) =>
        !packages.includes(packageOf(target)) && !(typeOnly && types.includes(packageOf(target))),
    )
    expect(refused.map(({ from, target }) => `${from} uses ${target}`)).toEqual([])
  })

  it('keeps each file to one subject, so within 370 lines', () => {
    const long = sourcesOf(room).filter(
      (file) => readFileSync(join(root, file), 'utf8').split('\n').length > 370,
    )
    expect(long).toEqual([])
  })
})

it('declares every package that the rooms use, and no other', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: object
    peerDependencies: object
  }
  const used = Object.keys(house)
    .flatMap(sourcesOf)
    .flatMap(importsOf)
    .map(({ target }) => target)
    .filter((target) => !target.startsWith('.') && !target.startsWith('node:'))
    .map(packageOf)
  const declared = [
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.peerDependencies),
  ]
  expect([...new Set(used)].filter((name) => !declared.includes(name))).toEqual([])
  expect(Object.keys(manifest.dependencies).filter((name) => !used.includes(name))).toEqual([])
})

it('F72 loads no code that a row names', () => {
  // A task's name is looked up among the tasks that are defined; nothing of a row may reach a loader.
  const loaders = ['lib', 'entities', 'backends']
    .flatMap(sourcesOf)
    .filter((file) =>
      /\bcreateRequire\(|[^.\w]import\((?!')|[^.\w]require\((?!')/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    )
  expect(loaders.toSorted()).toEqual(['lib/isolation/load-module.ts', 'lib/settings/configure.ts'])
})

it('F72 says nothing in its statements that a value could have written', () => {
  const statements = sourcesOf('backends').filter((file) =>
    /query\(\s*`[^`]*\$\{[^}]*(wishes\.|values\.|order\.|row\.)/.test(
      readFileSync(join(root, file), 'utf8'),
    ),
  )
  expect(statements).toEqual([])
})
