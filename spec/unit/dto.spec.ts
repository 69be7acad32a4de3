import {
  ArrayNotEmpty,
  IsEmail,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator'
import {
  configureTasks,
  InvalidTaskError,
  NotSerializableError,
  type TaskResult,
} from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { remoteTask, task } from '#define'
import { backends } from '../../lib/backend-registry'
import { TaskResult as Result } from '#result'
import { callTask } from '#executor'
import { catchLog } from '../support/tasks'

interface TransformerDoor {
  Type(of: () => unknown, options?: object): PropertyDecorator
  Transform(change: (given: { value: string }) => unknown): PropertyDecorator
}

/** class-transformer is the app's own choice, so all but its own part of this file runs without it. */
const { Type, Transform } = door()
const withTransformer = isThere() ? describe : describe.skip

const isNotTaken = ValidateBy({
  name: 'isNotTaken',
  async: true,
  validator: {
    validate: async (value) => value !== 'taken@mail.org',
    defaultMessage: () => 'the address is taken',
  },
})

class SendMail {
  @IsEmail()
  @isNotTaken
  to!: string

  @IsNotEmpty()
  subject = 'Hello'

  @IsOptional()
  @IsIn(['warm', 'plain'])
  tone?: string

  headline(): string {
    return `${this.subject}, ${this.to}`
  }
}

class Bare {
  note?: string
}

class Many {
  @IsInt({ message: 'must be whole, not $value' }) a!: unknown
  @IsInt() b!: unknown
  @IsInt() c!: unknown
  @IsInt() d!: unknown
  @IsInt() e!: unknown
  @IsInt() f!: unknown
  @IsInt() 'g-1'!: unknown
}

class Fragile {
  constructor() {
    throw new RangeError('not today')
  }
}

class Line {
  @IsInt()
  @Min(1)
  count!: number

  get isMany(): boolean {
    return this.count > 1
  }
}

class Shipment {
  @ArrayNotEmpty()
  @ValidateNested()
  @Type(() => Line)
  lines!: Line[]

  @IsOptional()
  @ValidateNested()
  @Type(() => Line, {
    discriminator: { property: 'kind', subTypes: [{ name: 'line', value: Line }] },
  })
  extra?: Line

  @IsString()
  @Transform(({ value }) => value.trim())
  to!: string
}

class Untyped {
  @ValidateNested()
  line!: Line
}

const sendMail = task(
  'spec.dto.send',
  async (mail: SendMail, note?: string) => ({
    isReal: mail instanceof SendMail,
    headline: mail.headline(),
    mail: dataOf(mail),
    note: note ?? null,
  }),
  { args: [SendMail] },
)
const maybe = task(
  'spec.dto.maybe',
  (mail?: SendMail, copies: number = 1) =>
    [mail instanceof SendMail, mail?.headline() ?? null, copies] as const,
  { args: [{ optional: SendMail }, null] },
)
const second = task(
  'spec.dto.second',
  (copies: number, mail: SendMail) => `${copies} ${mail.headline()}`,
  { args: [null, SendMail] },
)
const bare = task(
  'spec.dto.bare',
  (it: Bare) =>
    [it.constructor.name, Object.getPrototypeOf(it) === Bare.prototype, dataOf(it)] as const,
  { args: [Bare] },
)
const many = task('spec.dto.many', (it: Many) => it.a, { args: [Many] })
const fragile = task('spec.dto.fragile', (_: Fragile) => 'ran', { args: [Fragile] })
const contextual = task(
  'spec.dto.context',
  (context, mail: SendMail) => `${context.attempt} ${mail.headline()}`,
  { takesContext: true, args: [SendMail] },
)
const ship = task(
  'spec.dto.ship',
  (it: Shipment) => [it.lines.map((line) => line.isMany), it.extra?.isMany ?? null, it.to] as const,
  { args: [Shipment] },
)
const untyped = task('spec.dto.untyped', (it: Untyped) => it.line.count, { args: [Untyped] })

const ann = { to: 'ann@mail.org', subject: 'Hi' }
const noMail = 'to must be an email'

function dataOf(instance: object): unknown {
  return Object.fromEntries(Object.entries(instance))
}

function mailTo(to: string): SendMail {
  return Object.assign(new SendMail(), { to })
}

beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: ImmediateBackend } })
})

describe('a class that is listed in args', () => {
  it('is what the function receives, of plain data and of an instance alike', async () => {
    const fromPlain = await sendMail.enqueue(ann, 'p.s.')
    const fromInstance = await sendMail.enqueue(mailTo('bob@mail.org'))

    expect(fromPlain.returnValue).toEqual({
      isReal: true,
      headline: 'Hi, ann@mail.org',
      mail: ann,
      note: 'p.s.',
    })
    expect(fromInstance.returnValue).toEqual({
      isReal: true,
      headline: 'Hello, bob@mail.org',
      mail: { to: 'bob@mail.org', subject: 'Hello' },
      note: null,
    })
    expect(fromInstance.args).toEqual([{ subject: 'Hello', to: 'bob@mail.org' }])
  })

  it('keeps its defaults and what it does not know', async () => {
    const given = { to: 'ann@mail.org', trace: [1] } as never

    expect((await sendMail.enqueue(given)).returnValue.mail).toEqual({
      to: 'ann@mail.org',
      subject: 'Hello',
      trace: [1],
    })
  })

  it('leaves the other arguments as they are', async () => {
    expect((await second.enqueue(2, ann)).returnValue).toBe('2 Hi, ann@mail.org')
    await expect(second.enqueue(2, { ...ann, to: 'ann' })).rejects.toThrow(`args[1].to: ${noMail}`)
  })

  it('stands behind the context', async () => {
    expect((await contextual.enqueue(ann)).returnValue).toBe('1 Hi, ann@mail.org')
  })

  it('may have no rules: then it is there for its instances', async () => {
    expect((await bare.enqueue({ note: 'n' })).returnValue).toEqual(['Bare', true, { note: 'n' }])
  })

  it('holds when the task is called without a queue', async () => {
    expect(await sendMail.call(mailTo('ann@mail.org'))).toMatchObject({
      isReal: true,
      headline: 'Hello, ann@mail.org',
    })
    await expect(sendMail.call({ ...ann, to: 'ann' })).rejects.toThrow(InvalidTaskError)
  })

  it('stays with copies of the task', async () => {
    await expect(sendMail.using({ priority: 1 }).enqueue({ ...ann, to: 'ann' })).rejects.toThrow(
      noMail,
    )
  })

  it('holds for a task whose code lives elsewhere', async () => {
    await expect(
      remoteTask<[mail: { to: string; subject: string }]>('spec.dto.remote', {
        args: [SendMail],
      }).enqueue(mailTo('ann')),
    ).rejects.toThrow(noMail)
  })

  it('is met by keyword arguments, which arrive as the last argument', async () => {
    expect((await sendMail.enqueueWith({ kwargs: ann })).returnValue.isReal).toBe(true)
    await expect(sendMail.enqueueWith({ kwargs: { to: 'ann' } })).rejects.toThrow(
      `Task "spec.dto.send", kwargs.to: ${noMail}, got a string.`,
    )
  })
})

describe('what does not fit', () => {
  beforeEach(() => void configureTasks({ default: { BACKEND: DummyBackend } }))

  const bad: [string, unknown[], string][] = [
    [
      'a property against a rule',
      [{ to: 'ann', subject: 's' }],
      `args[0].to: ${noMail}, got a string.`,
    ],
    ['a property that is missing', [{ subject: 's' }], `args[0].to: ${noMail}, got undefined.`],
    [
      'two of them',
      [{ to: 7, subject: null }],
      `args[0].to: ${noMail}, got a number; args[0].subject: subject should not be empty, got null.`,
    ],
    [
      'a rule that takes time',
      [{ to: 'taken@mail.org', subject: 's' }],
      'args[0].to: the address is taken, got a string.',
    ],
    ['an instance', [mailTo('ann')], `args[0].to: ${noMail}, got a string.`],
    ['a text', ['ann@mail.org'], 'args[0]: expected an object, got a string.'],
    ['a list', [[ann]], 'args[0]: expected an object, got an array.'],
    ['null', [null], 'args[0]: expected an object, got null.'],
    ['nothing', [], 'args[0]: expected an object, got undefined.'],
  ]

  it.each(bad)(
    '%s is refused at enqueue, with its path, the rule and the kind of value',
    async (_, args, told) => {
      const enqueued = sendMail.enqueueWith({ args })

      await expect(enqueued).rejects.toThrow(InvalidTaskError)
      await expect(enqueued).rejects.toThrow(
        `Task "spec.dto.send", ${told} Pass what SendMail asks for.`,
      )
      expect((backends.get('default') as DummyBackend).results).toEqual([])
    },
  )

  it.each(bad)('%s ends the run of a row as FAILED, before the function', async (_, args, told) => {
    const run = callTask(
      sendMail as never,
      rowOf('spec.dto.send', JSON.parse(JSON.stringify(args)) as unknown[]),
      { signal: new AbortController().signal, report: () => {} },
      null,
    )

    await expect(run).rejects.toThrow(InvalidTaskError)
    await expect(run).rejects.toThrow(told)
  })

  it('is told with the call it is of, and then none of them is enqueued', async () => {
    await expect(sendMail.enqueueMany([[ann], [{ ...ann, to: 'ann' }]])).rejects.toThrow(
      `Task "spec.dto.send", call 1, args[0].to: ${noMail}`,
    )
    expect((backends.get('default') as DummyBackend).results).toEqual([])
  })

  it('is told once for each property, and shortened when there is much of it', async () => {
    await expect(many.enqueueWith({ args: [{ a: 'x' }] })).rejects.toThrow(
      'args[0].a: must be whole, not x, got a string; args[0].b: b must be an integer number, got undefined;',
    )
    await expect(many.enqueueWith({ args: [{}] })).rejects.toThrow(
      'args[0].e: e must be an integer number, got undefined; and 2 more.',
    )
    await expect(
      many.enqueueWith({ args: [{ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }] }),
    ).rejects.toThrow('args[0]["g-1"]: g-1 must be an integer number')
  })

  it('may be the class itself: what its constructor throws is told', async () => {
    await expect(fragile.enqueueWith({ args: [{}] })).rejects.toThrow(
      'Task "spec.dto.fragile", args[0]: no Fragile can be made of it: not today. Pass what Fragile asks for.',
    )
  })

  it('as JSON is refused as ever', async () => {
    await expect(sendMail.enqueue({ ...ann, tone: new Date() } as never)).rejects.toThrow(
      new NotSerializableError(
        'Task "spec.dto.send", args[0].tone: Date;',
        'pass tone.toISOString()',
      ),
    )
    await expect(bare.enqueue(Object.assign(new Bare(), { note: 1n }) as never)).rejects.toThrow(
      'args[0].note: bigint;',
    )
    await expect(sendMail.enqueue(new Line() as never)).rejects.toThrow('args[0]: Line;')
  })
})

describe('{ optional: class }', () => {
  it('lets the argument be left out, or null', async () => {
    expect((await maybe.enqueue()).returnValue).toEqual([false, null, 1])
    expect((await maybe.enqueueWith({ args: [null, 2] })).returnValue).toEqual([false, null, 2])
  })

  it('is as the class itself otherwise', async () => {
    expect((await maybe.enqueue(ann, 3)).returnValue).toEqual([true, 'Hi, ann@mail.org', 3])
    await expect(maybe.enqueue({ ...ann, to: 'ann' })).rejects.toThrow(noMail)
  })
})

it('a row cannot change the prototype of what the function receives', async () => {
  const args = JSON.parse('[{ "__proto__": { "evil": true }, "note": "n" }]') as [Bare]

  expect(await bare.call(...args)).toEqual(['Bare', true, { note: 'n' }])
})

describe('the option args', () => {
  const bad: [string, unknown, string][] = [
    ['a class alone', SendMail, 'args: expected a list of classes, got class SendMail'],
    [
      'an instance',
      [new SendMail()],
      'args[0]: expected a class, { optional: class } or null, got an object (SendMail). List the class itself.',
    ],
    [
      'a function',
      [() => SendMail],
      'args[0]: expected a class, { optional: class } or null, got a function. List the class itself.',
    ],
    [
      'a class that is not there yet',
      [null, undefined],
      'args[1]: expected a class, { optional: class } or null, got undefined. Do two files import one another, so that the class was not there yet?',
    ],
    ['a hole', Array(1), 'args[0]: expected a class, { optional: class } or null, got undefined.'],
    [
      'a misspelt optional',
      [{ optinal: SendMail }],
      'args[0]: expected a class, { optional: class } or null, got an object (Object).',
    ],
  ]
  it.each(bad)('refuses %s when the task is defined', (_, args, told) => {
    expect(() =>
      task('spec.dto.bad', (mail: SendMail) => mail.to, { args: args as never }),
    ).toThrow(`Task "spec.dto.bad", ${told}`)
  })
})

withTransformer('with class-transformer', () => {
  const plain = { lines: [{ count: 1 }, { count: 2 }], to: ' Ann ' }

  it('nested objects are instances too, and transformations are made', async () => {
    expect((await ship.enqueue(plain as never)).returnValue).toEqual([[false, true], null, 'Ann'])
  })

  it('an instance may hold instances', async () => {
    const lines = plain.lines.map((line) => Object.assign(new Line(), line))

    const result = await ship.enqueue(Object.assign(new Shipment(), { lines, to: 'Ann' }))

    expect(result.args).toEqual([{ lines: plain.lines, to: 'Ann' }])
    expect(result.returnValue).toEqual([[false, true], null, 'Ann'])
  })

  it('what a nested object lacks is told with its path', async () => {
    await expect(
      ship.enqueue({ lines: [{ count: 1 }, { count: 0 }], to: '' } as never),
    ).rejects.toThrow('args[0].lines[1].count: count must not be less than 1, got a number.')
  })

  it('what a transformation throws is told', async () => {
    await expect(ship.enqueue({ lines: [{ count: 1 }], to: 5 } as never)).rejects.toThrow(
      'Task "spec.dto.ship", args[0]: no Shipment can be made of it: value.trim is not a function. Pass what Shipment asks for.',
    )
  })

  it('the row keeps what class-transformer takes away from what it reads', async () => {
    const extra = { kind: 'line', count: 3 }

    const result = await ship.enqueue({ ...plain, extra } as never)

    expect(result.returnValue[1]).toBe(true)
    expect(result.args).toEqual([{ ...plain, extra }])
  })
})

it('a nested object whose class nobody names is refused rather than left unchecked', async () => {
  await expect(untyped.enqueue({ line: { count: 0 } } as never)).rejects.toThrow(
    "args[0].line: no class is known for it; class-transformer's @Type(() => …) beside @ValidateNested() says which.",
  )
})

describe('without class-transformer', () => {
  let alone: { task: typeof task }
  beforeAll(() => {
    jest.resetModules()
    // Otherwise the classes of the first evaluation would serve, which have found it.
    Reflect.deleteProperty(globalThis, Symbol.for('typeorm-tasks'))
    jest.doMock(
      'class-transformer',
      () => {
        throw Object.assign(new Error("Cannot find module 'class-transformer'"), {
          code: 'MODULE_NOT_FOUND',
        })
      },
      { virtual: true },
    )
    alone = require('#define') as typeof alone
  })
  afterAll(() => {
    jest.dontMock('class-transformer')
    jest.resetModules()
  })

  it('instances are made all the same', async () => {
    const lone = alone.task(
      'spec.dto.lone',
      (mail: SendMail, it: Bare) =>
        [mail.headline(), Object.getPrototypeOf(it) === Bare.prototype] as const,
      { args: [SendMail, Bare] },
    )

    expect(
      await lone.run(
        [ann, JSON.parse('{ "__proto__": { "evil": true } }')],
        () => undefined as never,
      ),
    ).toEqual(['Hi, ann@mail.org', true])
  })

  it('nested objects with rules are refused, and what would hint it is named', async () => {
    const lone = alone.task('spec.dto.lone', (it: Shipment) => it.to, { args: [Shipment] })

    await expect(
      lone.run([{ lines: [{ count: 1 }], to: 'Ann' }], () => undefined as never),
    ).rejects.toThrow("args[0].lines[0]: no class is known for it; class-transformer's @Type")
  })
})

function rowOf(taskName: string, args: unknown[]): TaskResult<unknown> {
  const now = new Date()
  const values = {
    id: '0190a5c0-0000-7000-8000-000000000000',
    taskName,
    status: 'RUNNING',
    enqueuedAt: now,
    startedAt: now,
    finishedAt: null,
    args,
    kwargs: {},
    priority: 0,
    queueName: 'default',
    backend: 'default',
    runAfter: null,
    workerIds: ['w'],
    errors: [],
    returnValue: null,
    progress: null,
  } as const
  return new Result(backends.get('default'), values)
}

function door(): TransformerDoor {
  if (isThere()) return require('class-transformer') as TransformerDoor
  return { Type: () => () => {}, Transform: () => () => {} }
}

function isThere(): boolean {
  try {
    return require.resolve('class-transformer') !== ''
  } catch {
    return false
  }
}
