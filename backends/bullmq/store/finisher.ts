import type { Connection } from '../connection'
import { Script, UNPACKED } from '../script'

/** What of the arguments of BullMQ's `moveToFinished` differs from job to job. */
export interface Ending {
  readonly id: string
  readonly token: string
  readonly target: 'completed' | 'failed'
  /** JSON, or why it failed. */
  readonly value: string
  /** Fields to set besides. */
  readonly fields?: Readonly<Record<string, string>>
}

/**
 * BullMQ's own script for the end of a job, once for each of several: one command for all of them is much less work for both
 * sides than one for each. Gives what it answers for each, or the text of its error.
 */
const FINISH = new Script<(number | string)[]>(
  'finish',
  (bullMQ) => `${UNPACKED}
local finish = ${bullMQ('moveToFinished')}
local queue, now = ARGV[1], ARGV[2]
local keys = { unpack(KEYS, 1, 10) }
keys[14] = KEYS[11]
local options = { keepJobs = { count = -1 }, attempts = 1, maxMetricsSize = '' }
local args = { '', now, '', '', '', '0', queue, options }
local answers = {}
local at = 3
while at <= #ARGV do
  local id, target, count = ARGV[at], ARGV[at + 2], tonumber(ARGV[at + 4])
  keys[11], keys[12], keys[13] = queue .. target, queue .. id, queue .. 'metrics:' .. target
  options.token = ARGV[at + 1]
  args[1], args[3], args[4], args[5] = id, target == 'completed' and 'returnvalue' or 'failedReason', ARGV[at + 3], target
  args[9] = count > 0 and { unpack(ARGV, at + 5, at + 4 + count) } or nil
  local isDone, answer = pcall(finish, keys, args)
  answers[#answers + 1] = isDone and answer or tostring(type(answer) == 'table' and answer.err or answer)
  at = at + 5 + count
end
return answers`,
)

/** The most jobs of one script: Redis does nothing else meanwhile. */
const PORTION = 100
/** Characters of one command, all values and fields together, after which the next one begins. */
const MOST_CHARACTERS = 1024 * 1024

interface Waiting extends Ending {
  readonly resolve: (answer: number) => void
  readonly reject: (error: unknown) => void
}

/** Ends jobs: those that are handed in in one turn are sent together. */
export class Finisher {
  readonly #connection: Connection
  readonly #waiting = new Map<string, Waiting[]>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Resolves to the answer of BullMQ's script: 0, or the code of why the job was not ended. */
  end(queue: string, ending: Ending): Promise<number> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(queue)
      const one = { ...ending, resolve, reject }
      if (waiting) waiting.push(one)
      else this.#waiting.set(queue, [one])
      if (!waiting && this.#waiting.size === 1) queueMicrotask(() => this.#send())
    })
  }

  #send(): void {
    const all = [...this.#waiting]
    this.#waiting.clear()
    for (const [queue, waiting] of all)
      for (const portion of portionsOf(waiting)) void this.#finish(queue, portion)
  }

  async #finish(queue: string, portion: readonly Waiting[]): Promise<void> {
    const { client, names } = this.#connection
    const [keys, prefix] = [this.#keysOf(queue), names.job(queue, '')]
    try {
      const args = portion.flatMap(argsOf)
      const answers = await FINISH.run(client, keys, [prefix, Date.now(), ...args])
      portion.forEach(({ resolve, reject }, i) => {
        const answer = answers[i]
        if (typeof answer === 'number') resolve(answer)
        else reject(new Error(answer))
      })
    } catch (error) {
      for (const { reject } of portion) reject(error)
    }
  }

  /** Those that are the same for all jobs of a queue. */
  #keysOf(queue: string): readonly string[] {
    const of = this.#connection.queue(queue)
    return [...of.moveToFinishedKeys.slice(0, 10), of.keys['marker']].map(String)
  }
}

function argsOf({ id, token, target, value, fields = {} }: Ending): (string | number)[] {
  const pairs = Object.entries(fields).flat()
  return [id, token, target, value, pairs.length, ...pairs]
}

function sizeOf({ value, fields = {} }: Ending): number {
  return Object.values(fields).reduce((sum, text) => sum + text.length, value.length)
}

function portionsOf(endings: readonly Waiting[]): Waiting[][] {
  const portions: Waiting[][] = []
  let size = 0
  for (const ending of endings) {
    const portion = portions.at(-1)
    const own = sizeOf(ending)
    size += own
    if (portion && portion.length < PORTION && size <= MOST_CHARACTERS) portion.push(ending)
    else {
      portions.push([ending])
      size = own
    }
  }
  return portions
}
