import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const HERE = join(__dirname, '..')
const rows = [
  ...readFileSync(join(HERE, '../docs/operations/faults.md'), 'utf8').matchAll(
    /^\| F(\d+) \| (.+?) \| (.+) \|$/gm,
  ),
].map(([, number, fault, shown]) => ({ number: Number(number), fault: fault!, shown: shown! }))

it('the page of faults has each number of the catalogue once, in order', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 87 }, (_, at) => at + 1))
})

it.each(rows)(
  'F$number ($fault) is named by the specs that the page says, or left out for a reason',
  ({ number, shown }) => {
    const named = [...shown.matchAll(/`([\w/-]+)`/g)].map(([, name]) => name!)
    if (shown.startsWith('left out: ')) return expect(namesOf(number)).toEqual([])

    expect(named).not.toEqual([])
    for (const name of named.filter((each) => each !== 'replication'))
      expect(titlesIn(fileOf(name))).toContain(`F${number}`)
  },
)

it('the page knows every number that a spec names', () => {
  expect(
    allSpecs()
      .flatMap((file) => titlesIn(file))
      .filter((title) => !rows.some(({ number }) => title === `F${number}`)),
  ).toEqual([])
})

function namesOf(number: number): string[] {
  return allSpecs().filter((file) => titlesIn(file).includes(`F${number}`))
}

function fileOf(name: string): string {
  return (
    [`${name}.spec.ts`, `${name}.contract.ts`].find((file) => existsSync(join(HERE, file))) ??
    `${name}.spec.ts`
  )
}

/** The numbers that the titles of a file's specs have. */
function titlesIn(file: string): string[] {
  const titles =
    readFileSync(join(HERE, file), 'utf8').match(/(['"`])F\d+(, F\d+)*[ $].*?\1/g) ?? []
  return titles.flatMap((title) => /^.(F\d+(?:, F\d+)*)/.exec(title)?.[1]?.split(', ') ?? [])
}

function allSpecs(): string[] {
  return readdirSync(HERE, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(spec|contract)\.ts$/.test(name),
  )
}
