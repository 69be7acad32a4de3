import type { DataSource } from 'typeorm'
import { instantOf } from '../../../entities/formats'
import type { Problem } from '../../../lib/backend'
import { DatabaseError } from '../../../lib/errors/errors'
import type { Product } from '../profiles/profile'
import { profileOf } from '../profiles/profile-of'
import { settingsOf, wrongSettings } from '../profiles/settings'

/** Difference of the clocks that is not reported. */
const TOLERANCE_MS = 5_000

/** Problems of the server's version, encoding and clock. */
export async function serverProblems(dataSource: DataSource): Promise<Problem[]> {
  const asked = Date.now()
  const server = await serverOf(dataSource)
  if (!server) return []
  const answered = Date.now()
  return [
    tooOld(server.product, server.version),
    encodingProblem(server.encoding),
    ...(await settingProblems(dataSource)),
    clockProblem(instantOf(server.now), asked, answered),
  ].filter((problem) => problem !== undefined)
}

/**
 * Looks at a server as a worker does that starts. Returns what keeps some texts from being stored, but not tasks from running.
 *
 * @throws DatabaseError if it does not know the statements used here, or is set so that they cannot work.
 */
export async function assertServes(dataSource: DataSource): Promise<Problem | undefined> {
  const server = await serverOf(dataSource)
  const wrong =
    (server && tooOld(server.product, server.version)) ??
    (await settingProblems(dataSource)).find(({ level }) => level === 'error')
  if (wrong) throw new DatabaseError(wrong.message, wrong.hint)
  return server && encodingProblem(server.encoding)
}

async function settingProblems(dataSource: DataSource): Promise<Problem[]> {
  const settings = profileOf(dataSource.options.type).server?.settings
  if (!settings) return []
  return wrongSettings(await settingsOf(dataSource, settings), settings).map(
    ({ stops, message, hint }) => ({
      level: stops === 'nobody' ? 'warning' : 'error',
      message,
      hint,
    }),
  )
}

/** The error for a version before the oldest one supported. */
export function tooOld({ name, oldest }: Product, version: string): Problem | undefined {
  if (!isBefore(version, oldest)) return undefined
  return {
    level: 'error',
    message: `${name} ${version} is too old: tasks need ${name} ${oldest} or later.`,
    hint: `Move the database to ${name} ${oldest} or later.`,
  }
}

interface Server {
  readonly product: Product
  readonly version: string
  readonly encoding: string
  readonly now: string
}

/** One statement, so that the clock's answer is recent. Undefined for databases whose versions are not checked. */
async function serverOf(dataSource: DataSource): Promise<Server | undefined> {
  const { server } = profileOf(dataSource.options.type)
  if (!server) return undefined
  const [found] = (await dataSource.query(server.question)) as Omit<Server, 'product'>[]
  return found && { ...found, product: server.productOf(found.version) }
}

function isBefore(version: string, oldest: string): boolean {
  const [found, wanted] = [numbersOf(version), numbersOf(oldest)]
  const place = wanted.findIndex((number, index) => number !== (found[index] ?? 0))
  return place >= 0 && (found[place] ?? 0) < (wanted[place] ?? 0)
}

/** `8.0.36-0ubuntu0.22.04.1` is 8, 0, 36. */
function numbersOf(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number)
}

function encodingProblem(encoding: string): Problem | undefined {
  if (/^utf-?8$/i.test(encoding)) return undefined
  return {
    level: 'error',
    message: `The database's encoding is ${encoding}, which cannot hold every argument and error text.`,
    hint: "Make a database with ENCODING 'UTF8' and move the data.",
  }
}

function clockProblem(now: Date | null, asked: number, answered: number): Problem | undefined {
  if (now === null) return undefined
  const ahead = now.getTime() > answered
  const apart = ahead ? now.getTime() - answered : asked - now.getTime()
  if (apart <= TOLERANCE_MS) return undefined
  return {
    level: 'warning',
    message: `The database's clock is ${Math.round(apart / 1000)} s ${ahead ? 'ahead of' : 'behind'} this machine's.`,
    hint: 'Set both by NTP: a runAfter that is counted from this clock is compared with that of the database.',
  }
}
