import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'

const root = join(__dirname, '../..')

it('the figures in the docs are those that the benchmark measured', () => {
  expect(checked(root)).toEqual({ status: 0, said: '' })
})

it('a figure that was changed by hand is found', () => {
  const copy = mkdtempSync(join(tmpdir(), 'figures-'))
  try {
    mkdirSync(join(copy, 'docs/operations'), { recursive: true })
    mkdirSync(join(copy, 'bench'))
    cpSync(join(root, 'bench/lib'), join(copy, 'bench/lib'), { recursive: true })
    const results = ['bench/RESULTS.md', 'bench/RESULTS-REDIS.md']
    for (const file of ['bench/figures.mjs', ...results, 'docs/operations/speed.md'])
      copyFileSync(join(root, file), join(copy, file))
    expect(checked(copy).status).toBe(0)
    const page = join(copy, 'docs/operations/speed.md')
    const told = readFileSync(page, 'utf8').replace('20 at a time | ', '20 at a time | 1')
    writeFileSync(page, told)
    expect(checked(copy)).toEqual({
      status: 1,
      said: expect.stringContaining('Write them: node bench/figures.mjs') as string,
    })
  } finally {
    rmSync(copy, { recursive: true })
  }
})

function checked(folder: string): { status: number | null; said: string } {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(folder, 'bench/figures.mjs'), '--check'],
    {
      encoding: 'utf8',
    },
  )
  return { status, said: stderr }
}
