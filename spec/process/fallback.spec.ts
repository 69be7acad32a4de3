import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const app = join(__dirname, '../support/sqljs-app.cjs')

/** A database without a dialect of its own, on the built package: what the compiler makes of the sources is what people run. */
it('the built package serves sql.js by the portable dialect', () => {
  const told = execFileSync(process.execPath, [app], {
    encoding: 'utf8',
    env: { ...process.env, NODE_ENV: 'test' },
    timeout: 120_000,
  })

  expect(JSON.parse(told)).toEqual({
    dialect: 'portable',
    status: 'SUCCESSFUL',
    returnValue: 42,
    failed: ['FAILED', 'RangeError'],
  })
})
