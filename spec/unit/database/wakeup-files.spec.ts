import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOnHost } from '#address'
import { setClock } from '#clock'
import type { Wakeup } from '#lib/store'
import { fileNameOf, type Folder, folderOf, wakeupIn } from '#wakeups/folder'
import { Touch } from '#wakeups/touch'
import { Watch } from '#wakeups/watch'
import { catchLog } from '../../support/tasks'

/** Far above what it takes on a slow machine. */
const SOON_MS = 5_000

const MAIL: Wakeup = { what: 'ready', queue: 'mail' }

const ANOTHER_USERS: [string, () => void] = [
  "another user's",
  () => (mkdirSync(folder.root, { mode: 0o700 }), chownSync(folder.root, 4_242, 4_242)),
]

let above: string
let folder: Folder
let heard: Wakeup[]
const watches: Watch[] = []

beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'wakeups-'))
  const root = join(above, 'of-user')
  folder = { root, path: join(root, 'of-table') }
  heard = []
})
afterEach(() => {
  for (const watch of watches.splice(0)) watch.end()
  setClock()
  rmSync(above, { recursive: true })
})

it.each<Wakeup>([
  { what: 'ready', queue: 'ä/B:c' },
  { what: 'ready', queue: '\u{1F600}'.repeat(16) + 'x' },
  { what: 'ready', queue: '\u8def'.repeat(32) },
  { what: 'pause', queue: 'ä/B:c' },
  { what: 'cancel', key: '0190a0c4-8a5e-7cc1-a1b2-0123456789ab' },
])('a file of its own stands for %j', (wakeup) => {
  const name = fileNameOf(wakeup)
  expect(name).toMatch(/^[a-z]+-[0-9a-f]{1,200}$/)
  expect(wakeupIn(name)).toEqual(wakeup)
})

it.each(['worker-1-00ff', 'ready-', 'ready-xyz', 'ready-0', 'later-00', '', 'ready'])(
  'the file %j says nothing',
  (name) => {
    expect(wakeupIn(name)).toBeUndefined()
  },
)

it('one folder stands for one table of one database, however the host is named', () => {
  const at = (options: object, table = 'db_task_result'): string =>
    folderOf(addressOnHost({ type: 'mysql', database: 'app', ...options } as never, '3306'), table)
      .path
  const same = [
    at({}),
    at({ host: '127.0.0.1', port: 3306 }),
    at({ type: 'mariadb', host: '::1', username: 'other' }),
    at({ url: 'mysql://me:secret@localhost/app' }),
    at({ socketPath: '/run/mysqld/mysqld.sock' }),
    at({ extra: { socketPath: '/run/mysqld/mysqld.sock' } }),
  ]
  expect(new Set(same).size).toBe(1)
  const others = [at({ port: 3307 }), at({ database: 'b' }), at({ host: 'db' }), at({}, 't')]
  expect(new Set([...same, ...others]).size).toBe(5)

  const file = join(above, 'app.sqlite')
  writeFileSync(file, '')
  symlinkSync(file, join(above, 'link.sqlite'))
  const sqlite = ['app', 'link'].map((name) =>
    addressOnHost({ type: 'better-sqlite3', database: join(above, `${name}.sqlite`) }, undefined),
  )
  expect(sqlite[0]).toBe(sqlite[1])
})

it('what is told is heard, the first time and later; a cancel leaves no file behind', async () => {
  listening()
  const touch = new Touch(folder)
  const told: Wakeup[] = [MAIL, MAIL, { what: 'cancel', key: 'ab' }, { what: 'ready', queue: 'b' }]
  for (const wakeup of told) {
    heard.length = 0
    touch.tell(wakeup)
    await until(() => heard.length > 0)
    expect(heard[0]).toEqual(wakeup)
    await sleep(20)
  }
  expect(readdirSync(folder.path).filter((name) => !name.startsWith('worker-'))).toEqual(
    [MAIL, { what: 'ready', queue: 'b' } as const].map(fileNameOf).toSorted(),
  )
})

it('where nobody listens nothing is made, and that is looked at once a second', () => {
  let now = 0
  setClock({ now: () => now, sleep: async () => {} })
  const lines = catchLog()
  const touch = new Touch(folder)
  touch.tell(MAIL)
  listening()
  now = 999
  touch.tell(MAIL)
  expect(readdirSync(folder.path)).toHaveLength(1)
  now = 1_000
  touch.tell(MAIL)
  expect(readdirSync(folder.path)).toHaveLength(2)
  rmSync(folder.root, { recursive: true })
  touch.tell(MAIL)
  expect(existsSync(folder.root)).toBe(false)
  expect(lines).toEqual([])
})

it('queues without end do not make files without end', () => {
  listening()
  const touch = new Touch(folder)
  for (let i = 0; i < 1_100; i++) touch.tell({ what: 'ready', queue: `q${i}` })
  expect(readdirSync(folder.path)).toHaveLength(1_001)
})

it('the last worker removes the folders, also beside the file of one that was killed', () => {
  const [first, second] = [listening(), listening()]
  new Touch(folder).tell(MAIL)
  // No process has that id.
  writeFileSync(join(folder.path, 'worker-4194305-00ff'), '')
  first.end()
  expect(readdirSync(folder.path)).toHaveLength(3)
  second.end()
  expect([existsSync(folder.path), existsSync(folder.root)]).toEqual([false, false])
})

it('a folder that is removed while a worker listens is made anew', async () => {
  listening()
  for (const gone of [folder.path, folder.root]) {
    rmSync(gone, { recursive: true })
    await until(() => existsSync(folder.path) && readdirSync(folder.path).length > 0)
    heard.length = 0
    new Touch(folder).tell(MAIL)
    await until(() => heard.length > 0)
    expect(heard[0]).toEqual(MAIL)
  }
})

describe.each<[string, () => void]>([
  ['a link', () => symlinkSync(elsewhere(), folder.root)],
  ['a file', () => writeFileSync(folder.root, '')],
  ['a folder that others may write to', () => openToAll(folder.root)],
  // Only root can make one.
  ...(process.geteuid?.() === 0 ? [ANOTHER_USERS] : []),
  [
    'a link, and was good before',
    () => (
      rmSync(folder.root, { recursive: true, force: true }),
      symlinkSync(elsewhere(), folder.root)
    ),
  ],
])('where the folder of the user is %s', (title, spoil) => {
  it('the worker says so at the level debug and polls, and nothing is touched', async () => {
    if (title.endsWith('before')) listening().end()
    spoil()
    const lines = catchLog()
    listening()
    expect(lines).toEqual([
      ['debug', expect.stringMatching(/^The worker polls, .* of this user al/)],
    ])
    if (existsSync(join(folder.root, 'x'))) mkdirSync(folder.path)
    new Touch(folder).tell(MAIL)
    if (existsSync(folder.path)) expect(readdirSync(folder.path)).toEqual([])
    await sleep(20)
    expect(heard).toEqual([])
  })
})

function listening(): Watch {
  const watch = new Watch(folder, (wakeup) => void heard.push(wakeup))
  watches.push(watch)
  watch.begin()
  return watch
}

/** A folder into which somebody wants others to write. */
function elsewhere(): string {
  const path = join(above, 'elsewhere')
  mkdirSync(path)
  writeFileSync(join(path, 'x'), '')
  return path
}

function openToAll(path: string): void {
  mkdirSync(path)
  writeFileSync(join(path, 'x'), '')
  chmodSync(path, 0o777)
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + SOON_MS; !isSo() && performance.now() < end;) await sleep(5)
}
