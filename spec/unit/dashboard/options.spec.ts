import { configureTasks } from 'typeorm-tasks'
import { dashboard, type DashboardOptions } from '../../../dashboard'
import { backends } from '../../../lib/backend-registry'
import { catchLog } from '../../support/tasks'

describe('the options of a dashboard', () => {
  it('may be absent, and may be undefined', () => {
    expect(() => dashboard()).not.toThrow()
    expect(() =>
      dashboard({ authorize: undefined, redact: undefined, title: undefined }),
    ).not.toThrow()
    const keys = [/iban/i, 'pin2']
    const given: DashboardOptions = {
      authorize: () => 'all',
      redact: { keys, show: () => true },
      backends: ['default'],
      origins: ['https://tasks.example', 'http://localhost:3000'],
      title: 'Shop',
    }
    expect(() => dashboard(given)).not.toThrow()
  })

  it.each([
    ['one that there is not', { authorise: () => 'all' }, 'authorize'],
    [
      'a permission in the place of a function',
      { authorize: 'all' },
      'authorize: expected a function',
    ],
    ['a mistyped key of redact', { redact: { key: [/iban/] } }, 'keys'],
    ['redact that is null', { redact: null }, 'redact: expected an object'],
    ['a key that is no text', { redact: { keys: [7] } }, 'keys[0]: expected'],
    ['a text in the place of keys', { redact: { keys: 'iban' } }, 'keys: expected a list'],
    ['show that is no function', { redact: { show: true } }, 'show: expected a function'],
    [
      'an origin with a path',
      { origins: ['https://tasks.example/'] },
      'origins[0]: expected an origin',
    ],
    ['a host for an origin', { origins: ['tasks.example'] }, 'origins[0]: expected an origin'],
    ['a backend that is no alias', { backends: [1] }, 'backends[0]: expected an alias'],
    ['a title of lines', { title: 'a\nb' }, 'title: expected'],
  ])('are refused with %s', (_what, options, said) => {
    expect(() => dashboard(options as DashboardOptions)).toThrow(said)
  })
})

describe('the backends of a dashboard', () => {
  afterEach(() => backends.configure(undefined))

  it('are compared with TASKS at once, if it is configured', () => {
    expect(() => dashboard({ backends: ['defalt'] })).not.toThrow()
    configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/dummy#DummyBackend' } })
    expect(() => dashboard({ backends: ['defalt'] })).toThrow(/Did you mean "default"/)
  })

  it('are missing in a process that has not configured them, which the page says', async () => {
    const lines = catchLog()
    const answer = await dashboard({ authorize: () => 'all' }).fetch(
      new Request('http://localhost/api/1/overview'),
    )
    expect([answer.status, await answer.json()]).toEqual([
      503,
      {
        error: {
          message: expect.stringContaining('has not called configureTasks'),
          hint: expect.stringContaining('configureTasks(TASKS)'),
          code: expect.any(String),
        },
      },
    ])
    expect(lines).toEqual([['error', expect.stringContaining('configureTasks')]])
  })
})
