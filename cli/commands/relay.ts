import { Command } from 'commander'
import type { BullMQBackend } from '../../backends/bullmq'
import { UsageError } from '../../lib/errors/errors'
import { log } from '../../lib/events/logger'
import { backends } from '../../lib/backend-registry'
import { PATIENCE_MS } from '../../lib/worker/wait-for-database'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { text } from '../option-parsers'
import { isWanted, print, tell } from '../output'
import { Shutdown } from '../process/shutdown'
import { during } from '../unfinished'

interface RelayOptions extends Globals {
  readonly backend?: string
  readonly batch?: boolean
}

export function relayCommand(): Command {
  return new Command('relay')
    .summary('take tasks of transactions to Redis')
    .description(
      "Takes tasks that were enqueued in a transaction from the app's database to Redis, until it is stopped. The workers of a backend on Redis do that, too; this is for machines without one. SIGINT, SIGTERM, SIGQUIT and SIGHUP stop it after the tasks under way; a second SIGINT (Ctrl+C) stops it immediately.",
    )
    .addOption(
      option(
        '--backend <alias>',
        'Alias in TASKS of the backend on Redis. (default: the only one with a dataSource in its OPTIONS)',
        text,
      ),
    )
    .option('--batch', 'Exit when no task waits that is due.')
    .addHelpText('after', examples('npx tasks relay', 'npx tasks relay --backend fast --batch'))
    .action(doing(relay))
}

async function relay(options: RelayOptions): Promise<number> {
  const shutdown = new Shutdown()
  const { withApp } = late.openedApp()
  return withApp(options, () => work(options, shutdown), {
    patienceMs: PATIENCE_MS, // the database may still be starting
    atEnd: () => shutdown.passSignalOn(),
  })
}

async function work(
  { backend: alias, batch = false }: RelayOptions,
  shutdown: Shutdown,
): Promise<number> {
  const backend = relayedBackend(alias)
  const { isSound } = late.servedBackend()
  const relay = backend.relay()
  if (!(await isSound(backend))) return 1
  const stopping = new AbortController()
  shutdown.onStop(() => stopping.abort())
  log.info(`Starting relay backend=${backend.alias}`)
  const stage = {
    stuck: 'The relay has stopped without an end, and there is nothing left to wait for.',
    hint: 'Start it again.',
    during: () => `the relay of ${backend.alias} was at work`,
    mayLast: true,
  } as const
  const { signal } = stopping
  const held = await during(stage, async () => {
    if (batch) return relay.drain(signal)
    await relay.run(signal)
    return 0
  })
  const end = `Took ${relay.moved} task(s) of ${backend.alias} to Redis`
  if (!batch) log.info(`${end}. Exiting gracefully.`)
  else if (isWanted(1)) print(end)
  if (held > 0)
    tell(`Other relays hold ${held} task(s) still. Run it again if they are there in 10 s, too.`)
  await backend.close()
  return shutdown.hasFaults ? 1 : 0
}

/** @throws UsageError for a backend without a relay, and if it is not clear which one is meant. */
function relayedBackend(alias: string | undefined): BullMQBackend {
  const { BullMQBackend } = late.bullmqBackend()
  const able = backends
    .all()
    .filter((backend): backend is BullMQBackend => backend instanceof BullMQBackend)
    .filter(({ joinsTransactions }) => joinsTransactions)
  const wanted = alias === undefined ? able : able.filter((each) => each.alias === alias)
  const [first, ...others] = wanted
  if (first && others.length === 0) return first
  if (alias !== undefined) late.servedBackend().backendOf(alias)
  const names = able.map((each) => each.alias).join(', ')
  if (first)
    throw new UsageError(
      `Several backends of TASKS have a relay: ${names}.`,
      'Name one: --backend <alias>.',
    )
  throw new UsageError(
    alias === undefined
      ? 'No backend of TASKS has a relay.'
      : `argument --backend: TASKS.${alias} has no relay.`,
    names === ''
      ? 'Give a backend on Redis (typeorm-tasks/backends/bullmq#BullMQBackend) the DataSource of the app: OPTIONS: { connection, dataSource }.'
      : `Backends that have one: ${names}.`,
  )
}
