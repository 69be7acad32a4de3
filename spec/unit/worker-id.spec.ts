import { startWorker } from 'typeorm-tasks'
import { randomWorkerId } from '#worker-id'

it('random worker ids have 32 letters and digits, and do not repeat', () => {
  const ids = Array.from({ length: 1000 }, randomWorkerId)

  expect(new Set(ids).size).toBe(1000)
  expect(ids.filter((id) => !/^[A-Za-z0-9]{32}$/.test(id))).toEqual([])
})

it.each(['worker-🎉'.slice(0, 8), '\udf89-worker', 'a\ud83cb'])(
  'a worker id with half of a surrogate pair is refused, with its fix',
  async (workerId) => {
    await expect(startWorker({ workerId })).rejects.toMatchObject({
      name: 'InvalidSettingsError',
      message: expect.stringMatching(
        /^Worker, workerId: expected 1 to 64 printable characters, got '.*\\ud[0-9a-f]{3}.*'\. It has half of a surrogate pair, as slice\(\) leaves of an emoji: use text\.toWellFormed\(\)\.$/,
      ),
    })
  },
)
