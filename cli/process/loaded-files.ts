import * as nodeModule from 'node:module'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel } from 'node:worker_threads'
import { reportLoaded } from './self'

/** Pause in ms between two looks for files that were loaded since, such as those that a task imports. */
const LOOK_MS = 1_000

/** Node's loader of CommonJS: undocumented, but stable since its first versions. */
const loading = (nodeModule.Module as unknown as { prototype: { load: (file: string) => void } })
  .prototype
const { registerHooks } = nodeModule as unknown as {
  /** Undefined before Node 22.15. */
  readonly registerHooks?: (hooks: { load: (url: string, ...rest: never[]) => unknown }) => void
}

/** This library, which may be linked. */
const LIBRARY = join(__dirname, '../..') + sep

const files = new Set<string>()
let reported = 0

/**
 * Records which files of the app this process loads from now on, also those that fail, and reports them every second to the
 * process that watches. Returns a function that reports at once.
 */
export function recordLoadedFiles(): () => Promise<void> {
  const { load } = loading
  loading.load = function (file) {
    add(file)
    load.call(this, file)
  }
  recordEsModules()
  setInterval(() => void report(), LOOK_MS).unref()
  return report
}

async function report(): Promise<void> {
  if (files.size === reported) return
  reported = files.size
  await reportLoaded([...files])
}

function add(file: string): void {
  if (!/[\\/]node_modules[\\/]/.test(file) && !file.startsWith(LIBRARY)) files.add(file)
}

function addUrl(url: string): void {
  if (url.startsWith('file:')) add(fileURLToPath(url))
}

function recordEsModules(): void {
  if (registerHooks)
    return registerHooks({
      load: (url: string, context: never, next: never) => {
        addUrl(url)
        return (next as (url: string, context: never) => unknown)(url, context)
      },
    })
  const { port1, port2 } = new MessageChannel()
  port1.on('message', addUrl).unref()
  nodeModule.register(`data:text/javascript,${encodeURIComponent(OTHER_THREAD)}`, {
    parentURL: 'data:',
    data: port2,
    transferList: [port2],
  })
}

const OTHER_THREAD = `let port
export function initialize(given) { port = given }
export function load(url, context, next) { port.postMessage(url); return next(url, context) }`
