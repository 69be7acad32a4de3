import { randomWorkerId } from '#worker-id'

it('random worker ids have 32 letters and digits, and do not repeat', () => {
  const ids = Array.from({ length: 1000 }, randomWorkerId)

  expect(new Set(ids).size).toBe(1000)
  expect(ids.filter((id) => !/^[A-Za-z0-9]{32}$/.test(id))).toEqual([])
})
