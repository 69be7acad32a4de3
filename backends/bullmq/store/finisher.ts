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

/** Ends jobs. */
export class Finisher {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Ends jobs of a queue. Gives of each the answer of BullMQ's script: 0, or a negative code of why it was not ended; or an error. */
  async end(queue: string, endings: readonly Ending[]): Promise<unknown[]> {
    const portions = portionsOf(endings)
    return (await Promise.all(portions.map((portion) => this.#finish(queue, portion)))).flat()
  }

  async #finish(queue: string, portion: readonly Ending[]): Promise<unknown[]> {
    const { client, names } = this.#connection
    const [keys, prefix] = [this.#keysOf(queue), names.job(queue, '')]
    try {
      const args = [prefix, Date.now(), ...portion.flatMap(argsOf)]
      const answers = await FINISH.run(client, keys, args)
      return answers.map((answer) => (typeof answer === 'number' ? answer : new Error(answer)))
    } catch (error) {
      return portion.map(() => error)
    }
  }

  /** Those that are the same for all jobs of a queue. */
  #keysOf(queue: string): readonly string[] {
    const of = this.#connection.queue(queue)
    return [...of.moveToFinishedKeys.slice(0, 10), of.keys['marker']].map(String)
  }
}

function argsOf({ id, token, target, value, fields }: Ending): (string | number)[] {
  if (!fields) return [id, token, target, value, 0]
  const pairs = Object.entries(fields).flat()
  return [id, token, target, value, pairs.length, ...pairs]
}

function sizeOf({ value, fields }: Ending): number {
  if (!fields) return value.length
  return Object.values(fields).reduce((sum, text) => sum + text.length, value.length)
}

function portionsOf(endings: readonly Ending[]): Ending[][] {
  const portions: Ending[][] = []
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
