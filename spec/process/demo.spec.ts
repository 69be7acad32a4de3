import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { newApp, repository } from '../support/linked-app'

jest.setTimeout(60_000)

it('the demo runs the tutorial from the migration to the result, and cleans up', () => {
  const TMPDIR = newApp([])
  const before = readdirSync(TMPDIR)

  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(repository, 'examples/super-complicated-task/demo.mjs')],
    { encoding: 'utf8', env: { ...process.env, TMPDIR } },
  )

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const id = /enqueued (\S+), status READY/.exec(stdout)?.[1]
  const lines = stdout.split('\n').filter((line) => id !== undefined && line.includes(id))
  expect(lines).toEqual([
    `enqueued ${id}, status READY`,
    `Task id=${id} path=tutorial.super_complicated_task state=RUNNING`,
    `Task id=${id} path=tutorial.super_complicated_task state=SUCCESSFUL`,
    expect.stringMatching(
      / SUCCESSFUL in (19|2\d)\d\d ms, returned \{"target":"M31","sources":42\}$/,
    ),
  ])
  expect(stdout).toMatch(
    /state=RUNNING\nstarting task\.\.\.\nstill running\.\.\.\nstill running\.\.\.\ndone!\nTask id=/,
  )
  expect(stdout).toContain('Where to look next')
  expect(readdirSync(TMPDIR)).toEqual(before)
})
