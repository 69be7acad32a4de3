import { readFileSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { isIP } from 'node:net'
import { TasksError } from '../../lib/errors/errors'
import { PATHS, type Probe, type Report, reportIn } from './report'

/** Time in ms for a worker to answer. */
const ANSWER_MS = 3_000
/** Time in ms by which the clock of a file may be ahead, such as that of a network drive. */
const AHEAD_MS = 5_000
/** A report of 256 workers is far below. */
const MOST_BYTES = 1024 * 1024

/** There is no report, so the worker is as good as dead. */
export class NoReportError extends TasksError {
  readonly code = 'NO_REPORT'
}

/** The latest report of a file. @throws NoReportError if there is none, or it is older than `maxAgeMs`, or of the future. */
export function reportOfFile(file: string, maxAgeMs: number): Report {
  const text = textOf(file)
  const ageMs = Date.now() - statSync(file).mtimeMs
  const report = reportIn(text)
  if (report === undefined)
    throw new NoReportError(
      `${file} holds no report of a worker.`,
      'Give the file that db_worker has as --health-file.',
    )
  if (ageMs < -AHEAD_MS)
    throw new NoReportError(
      `${file} was last written ${Math.round(-ageMs / 1000)} s in the future.`,
      'The clock was set back, or is not that of the worker; a worker that runs writes the file again within 2 s.',
    )
  if (ageMs > maxAgeMs)
    throw new NoReportError(
      `${file} was last written ${Math.round(ageMs / 1000)} s ago, and --max-age is ${maxAgeMs / 1000}.`,
      'Its worker was killed, or its event loop is blocked: start it again.',
    )
  return report
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw code === 'ENOENT'
      ? new NoReportError(
          `${file} is not there.`,
          `The worker does not run, or runs without --health-file ${file}.`,
        )
      : new NoReportError(`${file} cannot be read (${code}).`, 'Probe as the user of the worker.')
  }
}

/** What the port of a worker says. @throws NoReportError if it says nothing, or nothing of a worker. */
export async function reportOfPort(host: string, port: number, probe: Probe): Promise<Report> {
  const url = `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}${PATHS[probe]}`
  const report = reportIn(await bodyOf(url))
  if (report) return report
  throw new NoReportError(
    `${url} is not of a worker.`,
    'Give the port that db_worker has as --health-port.',
  )
}

function bodyOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void =>
      reject(
        new NoReportError(
          `${url} ${what}.`,
          'The worker does not run, its event loop is blocked, or it has another --health-port or --health-host.',
        ),
      )
    const request = get(url, { agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        body += part
        if (body.length > MOST_BYTES) request.destroy()
      })
      response.on('end', () => resolve(body))
      response.on('error', () => fail('has said too much'))
    })
    const timer = setTimeout(() => {
      fail(`has not answered within ${ANSWER_MS / 1000} s`)
      request.destroy()
    }, ANSWER_MS)
    request.on('close', () => clearTimeout(timer))
    request.on('error', (error: NodeJS.ErrnoException) =>
      fail(`does not answer (${error.code ?? error.message})`),
    )
  })
}
