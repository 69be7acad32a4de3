import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiReport } from '../../scripts/api-report.cjs'

jest.setTimeout(120_000)

it('the built package has the public types that spec/types/api-report.txt says', () => {
  const said = readFileSync(join(__dirname, '../types/api-report.txt'), 'utf8')

  // A change that is meant: node scripts/api-report.cjs > spec/types/api-report.txt
  expect(apiReport()).toBe(said)
})
