import { QueryFailedError } from 'typeorm'
import { giveBack } from '../../../backends/database/batches/unclaim'
import { catchLog } from '../../support/tasks'

it('rows whose statement the database ended for its time are given back a moment later', async () => {
  const lines = catchLog()
  const asked: string[][] = []
  const rows = ['a', 'b'].map((row_key) => ({ row_key, claims: 1 }))

  const count = await giveBack(rows, async (part) => {
    asked.push(part.map(({ row_key }) => row_key))
    if (asked.length <= 3)
      throw new QueryFailedError('', [], Object.assign(new Error('slow'), { code: '57014' }))
    return { released: part.length, locked: new Set() }
  })

  expect({ count, asked, lines }).toEqual({
    count: 2,
    asked: [['a', 'b'], ['a'], ['b'], ['a', 'b']],
    lines: [],
  })
})
