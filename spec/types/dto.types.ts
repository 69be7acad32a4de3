// Checked by the compiler alone: what the option `args` takes, and what a task that has it takes.
import { remoteTask, task, type Task, type TaskContext, taskOf } from 'typeorm-tasks'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

class Mail {
  to!: string
  subject?: string
}
class Parcel {
  kilos!: number
  to!: Mail
  isHeavy(): boolean {
    return this.kilos > 20
  }
}
class Dated {
  when!: Date
}
interface Letter {
  to: string
}
class FromText {
  constructor(readonly text: string) {}
}

// A class of data changes nothing about the task's type.
const send = task(
  'types.dto.send',
  async (mail: Mail, note?: string) => `${mail.to} ${note ?? ''}`,
  { args: [Mail], priority: 1 },
)
same<typeof send, Task<[mail: Mail, note?: string | undefined], string>>(true)
task('types.dto.second', (copies: number, mail: Mail) => copies + mail.to.length, {
  args: [null, Mail],
})
task('types.dto.interface', (letter: Letter) => letter.to, { args: [Mail] })
task('types.dto.context', (context, mail: Mail) => `${context.attempt} ${mail.to}`, {
  takesContext: true,
  args: [Mail],
})
task(
  'types.dto.context.typed',
  (context: TaskContext, mail: Mail) => `${context.attempt} ${mail.to}`,
  { takesContext: true, args: [Mail] },
)
same<typeof left, Task<[mail?: Mail | undefined, other?: Mail | null | undefined], number>>(true)
const left = task(
  'types.dto.optional',
  (mail?: Mail, other: Mail | null = null) => Number(mail === other),
  { args: [{ optional: Mail }, { optional: Mail }] },
)
task('types.dto.nullable', (mail: Mail | null) => mail === null, { args: [{ optional: Mail }] })
task('types.dto.none', () => 1, { args: [] })
const listedElsewhere = [Mail] as const
task('types.dto.elsewhere', (mail: Mail) => mail.to, { args: listedElsewhere })

// Methods need not be given: the function receives an instance, which has them.
same<typeof ship, Task<[parcel: { kilos: number; to: Mail }], boolean>>(true)
const ship = task('types.dto.methods', (parcel: Parcel) => parcel.isHeavy(), { args: [Parcel] })

// @ts-expect-error methods do not travel where no class is listed
task('types.dto.bad', (parcel: Parcel) => parcel.isHeavy())
// @ts-expect-error methods do not travel in an argument that is taken as it is
task('types.dto.bad', (parcel: Parcel) => parcel.isHeavy(), { args: [null] })
// @ts-expect-error Date
task('types.dto.bad', (dated: Dated) => dated.when.getTime(), { args: [Dated] })
// @ts-expect-error the class of another argument
task('types.dto.bad', (mail: Mail) => mail.to, { args: [Parcel] })
// @ts-expect-error a class for a text
task('types.dto.bad', (note: string) => note, { args: [Mail] })
// @ts-expect-error more classes than arguments
task('types.dto.bad', (mail: Mail) => mail.to, { args: [Mail, Mail] })
// @ts-expect-error a class for a function without arguments
task('types.dto.bad', () => 1, { args: [Mail] })
// @ts-expect-error an argument that may be left out
task('types.dto.bad', (mail?: Mail) => mail?.to ?? '', { args: [Mail] })
// @ts-expect-error an argument that may be null
task('types.dto.bad', (mail: Mail | null) => mail?.to ?? '', { args: [Mail] })
// @ts-expect-error an argument that may not be left out
task('types.dto.bad', (mail: Mail) => mail.to, { args: [{ optional: Mail }] })
// @ts-expect-error a class that needs arguments itself
task('types.dto.bad', (text: FromText) => text.text, { args: [FromText] })
// @ts-expect-error an instance in place of its class
task('types.dto.bad', (mail: Mail) => mail.to, { args: [new Mail()] })
// @ts-expect-error a class alone in place of a list
task('types.dto.bad', (mail: Mail) => mail.to, { args: Mail })

export async function whatTheyTake(): Promise<void> {
  await send.enqueue({ to: 'you' }, 'note')
  await send.enqueue(new Mail())
  await send.enqueueMany([[new Mail()], [{ to: 'you' }, 'note']])
  await ship.enqueue({ kilos: 1, to: { to: 'you' } })
  await ship.enqueue(new Parcel())
  await left.enqueue()
  await left.enqueue({ to: 'you' }, null)

  // @ts-expect-error a property of the wrong type
  await send.enqueue({ to: 1 })
  // @ts-expect-error a property too few
  await ship.enqueue({ kilos: 1 })
  // @ts-expect-error no argument
  await send.enqueue()
  // @ts-expect-error options of one enqueue are not those of the task
  send.using({ args: [Mail] })
}

// Tasks that live elsewhere.
const remote = remoteTask<[mail: Mail], string>('types.dto.remote', { args: [Mail] })
same<typeof remote, Task<[mail: Mail], string>>(true)
// @ts-expect-error the class of another argument
remoteTask<[mail: Mail], string>('types.dto.remote', { args: [Parcel] })

// Static methods.
export class Office {
  @task('types.dto.office', { args: [Mail] })
  static send(mail: Mail): string {
    return mail.to
  }

  // @ts-expect-error the class of another argument
  @task('types.dto.office.bad', { args: [Parcel] })
  static bad(mail: Mail): string {
    return mail.to
  }

  @task('types.dto.office.context', { takesContext: true, args: [Mail] })
  static watch(context: TaskContext, mail: Mail): string {
    return `${mail.to} ${context.attempt}`
  }
}
same<typeof office, Task<[mail: Mail], string>>(true)
const office = taskOf(Office.send)
