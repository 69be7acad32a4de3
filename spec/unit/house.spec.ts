import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { VERSION } from '../../lib/copies/version'
import { house as numbersOf, importsOf, sourcesOf } from '../../scripts/house.cjs'

const root = join(__dirname, '../..')

/** What each room may import: rooms by name, packages by name; `types` only as types. ARCHITECTURE.md shows it. */
const house: Record<string, { rooms: string[]; packages: string[]; types?: string[] }> = {
  lib: {
    rooms: [],
    packages: [
      'class-validator',
      'class-transformer',
      'croner',
      'fastest-levenshtein',
      'tinyglobby',
    ],
    types: ['typeorm'],
  },
  entities: { rooms: ['lib'], packages: ['typeorm', 'reflect-metadata'] },
  backends: { rooms: ['lib', 'entities'], packages: ['typeorm', 'class-validator', 'uuid'] },
  'backends/bullmq': {
    rooms: ['lib', 'entities', 'backends'],
    packages: ['bullmq', 'ioredis'],
    types: ['typeorm'],
  },
  cli: {
    // `index` is the door: it makes the built-in backends known.
    rooms: [
      'lib',
      'entities',
      'backends',
      'backends/bullmq',
      'index',
      'dashboard',
      'integrations/prometheus',
    ],
    packages: [
      'typeorm',
      'prom-client',
      'commander',
      'chokidar',
      'cli-progress',
      'get-tsconfig',
      'resolve-pkg-maps',
      'tinyglobby',
    ],
  },
  dashboard: { rooms: ['lib', 'entities', 'index'], packages: [] },
  'integrations/nestjs': {
    rooms: ['lib', 'backends', 'index', 'dashboard'],
    packages: ['@nestjs/common', '@nestjs/core', 'rxjs', 'typeorm'],
  },
  'integrations/metrics': { rooms: ['index'], packages: [] },
  'integrations/opentelemetry': {
    rooms: ['index', 'integrations/metrics'],
    packages: ['@opentelemetry/api'],
  },
  'integrations/prometheus': {
    rooms: ['index', 'integrations/metrics'],
    packages: ['prom-client'],
  },
  testing: {
    // What errors show is redacted as the dashboard does it.
    rooms: ['lib', 'entities', 'backends', 'index', 'dashboard'],
    packages: [],
    types: ['typeorm'],
  },
}

/** What each room within lib may import of lib; `lib` is its root. Each stands on those before it, and on no others. */
const library: Record<string, string[]> = {
  'lib/copies': [],
  'lib/errors': ['lib/copies'],
  'lib/row': ['lib/errors'],
  lib: ['lib/copies', 'lib/errors', 'lib/row'],
  'lib/browsing': ['lib', 'lib/row', 'lib/copies', 'lib/errors'],
  'lib/public': ['lib', 'lib/row', 'lib/errors'],
  'lib/events': ['lib', 'lib/row', 'lib/copies', 'lib/errors'],
  'lib/telemetry': ['lib', 'lib/row', 'lib/copies', 'lib/errors', 'lib/events'],
  'lib/settings': ['lib', 'lib/row', 'lib/copies', 'lib/errors'],
  'lib/arguments': ['lib', 'lib/row', 'lib/copies', 'lib/errors', 'lib/settings'],
  'lib/flows': ['lib', 'lib/row', 'lib/copies', 'lib/errors', 'lib/telemetry'],
  'lib/tasks': [
    'lib',
    'lib/row',
    'lib/copies',
    'lib/errors',
    'lib/settings',
    'lib/arguments',
    'lib/flows',
    'lib/telemetry',
  ],
  'lib/schedules': [
    'lib',
    'lib/row',
    'lib/copies',
    'lib/errors',
    'lib/settings',
    'lib/arguments',
    'lib/tasks',
  ],
  'lib/execution': [
    'lib',
    'lib/row',
    'lib/copies',
    'lib/errors',
    'lib/events',
    'lib/arguments',
    'lib/tasks',
  ],
  'lib/isolation': [
    'lib',
    'lib/row',
    'lib/copies',
    'lib/errors',
    'lib/events',
    'lib/telemetry',
    'lib/settings',
    'lib/arguments',
    'lib/tasks',
    'lib/execution',
  ],
  'lib/worker': [
    'lib',
    'lib/row',
    'lib/copies',
    'lib/errors',
    'lib/events',
    'lib/telemetry',
    'lib/settings',
    'lib/arguments',
    'lib/tasks',
    'lib/schedules',
    'lib/execution',
    'lib/isolation',
  ],
}

interface Import {
  from: string
  target: string
  typeOnly: boolean
}

function roomOf({ from, target }: Import): string {
  return roomWith(fileOf({ from, target }))
}

/** The innermost one: a room may have a door of its own within another. */
function roomWith(file: string): string {
  const around = Object.keys(house).filter((room) => `${file}/`.startsWith(`${room}/`))
  return around.toSorted((a, b) => b.length - a.length)[0] ?? file.split('/')[0] ?? ''
}

/** The room within lib: its root, or the folder under it. */
function libraryRoomOf(file: string): string {
  const [lib = '', folder = '', inner] = file.split('/')
  return inner === undefined ? lib : `${lib}/${folder}`
}

function fileOf({ from, target }: Pick<Import, 'from' | 'target'>): string {
  return relative(root, resolve(root, dirname(from), target))
}

function packageOf(target: string): string {
  return target.startsWith('@')
    ? target.split('/').slice(0, 2).join('/')
    : (target.split('/')[0] ?? '')
}

describe.each(Object.entries(house))('%s/', (room, { rooms, packages, types = [] }) => {
  const imports = sourcesOf(room)
    .flatMap(importsOf)
    .filter(({ from }) => roomWith(from) === room)

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

  it('keeps each file to one subject, so within 260 lines', () => {
    const long = sourcesOf(room).filter(
      (file) => readFileSync(join(root, file), 'utf8').trimEnd().split('\n').length > 260,
    )
    expect(long).toEqual([])
  })
})

describe.each(Object.entries(library))('%s', (room, rooms) => {
  it(`stands on ${rooms.join(', ') || 'no other room of lib'}`, () => {
    const strays = sourcesOf('lib')
      .filter((file) => libraryRoomOf(file) === room)
      .flatMap(importsOf)
      .filter(({ target }) => target.startsWith('.'))
      .filter((found) => ![room, ...rooms].includes(libraryRoomOf(fileOf(found))))
    expect(strays.map(({ from, target }) => `${from} reaches into ${target}`)).toEqual([])
  })
})

it('has a row for every room of lib', () => {
  expect([...new Set(sourcesOf('lib').map(libraryRoomOf))].toSorted()).toEqual(
    Object.keys(library).toSorted(),
  )
})

describe('the whole house', () => {
  const { circles, circlesInFolders, folders } = numbersOf()

  it('has no circle of imports, neither among files nor among what stands in one folder', () => {
    expect({ circles, circlesInFolders }).toEqual({ circles: [], circlesInFolders: [] })
  })

  it('has at most 14 files in a folder', () => {
    expect(folders.filter(([, files]) => files > 14)).toEqual([])
  })
})

it('names in "The way of a task" files and folders that there are', () => {
  const [, way = ''] =
    /## The way of a task\n\n(.*?)\n\n/s.exec(
      readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'),
    ) ?? []
  const named = [...way.matchAll(/`([^`]+)`/g)].map(([, name = '']) => `/${name}`)
  const files = ['lib', 'entities', 'backends'].flatMap(sourcesOf).map((file) => `/${file}`)
  expect(named.length).toBeGreaterThan(10)
  const isThere = (name: string): boolean =>
    files.some((file) => file.endsWith(`${name}.ts`) || file.includes(`${name}/`))
  expect(named.filter((name) => !isThere(name))).toEqual([])
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
    /query\(\s*`[^`]*\$\{[^}]*(filter\.|values\.|order\.|row\.)/.test(
      readFileSync(join(root, file), 'utf8'),
    ),
  )
  expect(statements).toEqual([])
})

it('tells databases apart in dialects/ and profiles/ alone', () => {
  const name =
    /\bfamilyOf\b|'(postgres|cockroachdb|aurora-\w+|mysql2?|mariadb|better-sqlite3|sqlite3?|sqljs|mssql|oracle|spanner|sap)'/
  const outside = sourcesOf('backends/database').filter(
    (file) => !/^backends\/database\/(dialects|profiles)\//.test(file),
  )
  expect(outside.length).toBeGreaterThan(20)
  expect(outside.filter((file) => name.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
  // That the pattern finds such names at all.
  const within = sourcesOf('backends/database/profiles')
  expect(within.filter((file) => name.test(readFileSync(join(root, file), 'utf8')))).not.toEqual([])
})

it('states the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  expect(VERSION).toBe(version)
})
