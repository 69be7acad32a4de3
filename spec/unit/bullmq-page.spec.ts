import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { textOf } from '../support/markdown'

const TYPES = join(__dirname, '../../node_modules/bullmq/dist/esm')
const PAGE = 'docs/coming-from/bullmq.md'

/** Which of BullMQ's classes, options and events each section of the page must name whole, by file. */
const SECTIONS: Readonly<Record<string, readonly (readonly [file: string, ...names: string[]])[]>> =
  {
    Queue: [
      ['classes/queue', 'Queue', 'ObliterateOpts'],
      ['classes/queue-getters', 'QueueGetters'],
      ['classes/queue-base', 'QueueBase'],
    ],
    'Options of a queue': [
      [
        'interfaces/queue-options',
        'QueueBaseOptions',
        'KeyPrefixOptions',
        'QueueOptions',
        'RepeatBaseOptions',
      ],
      ['interfaces/advanced-options', 'AdvancedRepeatOptions'],
    ],
    'Options of a job': [
      ['interfaces/base-job-options', 'DefaultJobOptions', 'BaseJobOptions'],
      ['types/job-options', 'CompressableJobOptions'],
      ['types/keep-jobs', 'KeepJobs'],
      ['types/deduplication-options', 'DeduplicationOptions'],
      ['interfaces/backoff-options', 'BackoffOptions'],
      ['interfaces/parent-options', 'ParentOptions'],
    ],
    Worker: [
      ['classes/worker', 'Worker'],
      ['classes/queue-base', 'QueueBase'],
    ],
    'Options of a worker': [
      ['interfaces/worker-options', 'WorkerOptions', 'GetNextJobOptions'],
      ['interfaces/queue-options', 'QueueBaseOptions', 'KeyPrefixOptions'],
      ['interfaces/sandboxed-options', 'SandboxedOptions'],
      ['interfaces/advanced-options', 'AdvancedOptions'],
    ],
    Job: [
      ['classes/job', 'Job'],
      ['interfaces/retry-options', 'RetryOptions'],
      ['types/job-type', 'JobState'],
    ],
    Flows: [
      ['classes/flow-producer', 'FlowProducer', 'NodeOpts', 'JobNode'],
      ['interfaces/flow-job', 'FlowJobBase', 'FlowParentJob', 'FlowOpts'],
    ],
    Schedulers: [
      ['classes/job-scheduler', 'JobScheduler'],
      ['interfaces/repeat-options', 'RepeatOptions'],
      ['interfaces/repeatable-options', 'RepeatableOptions'],
      ['interfaces/job-scheduler-json', 'JobSchedulerJson', 'JobSchedulerTemplateJson'],
    ],
    'Rate limits': [['interfaces/rate-limiter-options', 'RateLimiterOptions']],
    Events: [
      ['classes/queue-events', 'QueueEvents', 'QueueEventsListener'],
      ['classes/queue-events-producer', 'QueueEventsProducer'],
      ['classes/queue', 'QueueListener'],
      ['classes/worker', 'WorkerListener'],
      ['interfaces/ioredis-events', 'IoredisListener'],
      ['interfaces/queue-options', 'QueueEventsOptions'],
    ],
    'Sandboxed processors': [
      ['interfaces/sandboxed-options', 'SandboxedOptions'],
      ['interfaces/sandboxed-job', 'SandboxedJob'],
    ],
    'Telemetry and metrics': [
      ['interfaces/telemetry', 'Telemetry'],
      ['interfaces/metrics-options', 'MetricsOptions'],
    ],
    Relay: [['classes/relay', 'Relay', 'RelaySubscription']],
  }

const sections = new Map(
  textOf(PAGE)
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split('\n')[0]!, wordsIn(section)]),
)

describe.each(Object.entries(SECTIONS))('the section "%s"', (title, sources) => {
  const wanted = sources.flatMap(([file, ...names]) => names.map((name) => [name, file] as const))

  it.each(wanted)('names all of %s', (name, file) => {
    const members = membersOf(file, name)
    expect(members).not.toEqual([])
    expect(members.filter((member) => !sections.get(title)!.has(member))).toEqual([])
  })
})

it('the page names all that BullMQ exports', () => {
  const exported = exportsOf('index')
  const words = wordsIn(textOf(PAGE))
  expect(exported.length).toBeGreaterThan(200)
  expect(exported.filter((name) => !words.has(name))).toEqual([])
})

it('the page names no section of which it says nothing', () => {
  const links = [...textOf(PAGE).matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!)
  const anchors = [...sections.keys()].map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
  expect(links.filter((anchor) => !anchors.includes(anchor))).toEqual([])
})

/** What stands in code, word by word; events have hyphens and colons in their names. */
function wordsIn(text: string): ReadonlySet<string> {
  const code = [...text.matchAll(/`([^`\n]+)`/g)].map(([, inner = '']) => inner)
  const words = code.flatMap((inner) => inner.match(/[\w:-]*\w/g) ?? [])
  return new Set([...words, ...words.flatMap((word) => word.split(/[:-]/))])
}

function declarationsOf(file: string): string {
  return readFileSync(join(TYPES, `${file}.d.ts`), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '')
}

/** Of a class, what is public; of an interface or a type, its keys, those within its keys, too; of a union of texts, the texts. */
function membersOf(file: string, name: string): string[] {
  const [, kind = '', body = ''] =
    new RegExp(
      `^export (?:declare )?(class|interface|type) ${name}\\b([\\s\\S]*?)(?:^}|;\\n(?=export|$))`,
      'm',
    ).exec(declarationsOf(file)) ?? []
  const isOfOptions = kind !== 'class' && !name.endsWith('Listener') && name !== 'SandboxedJob'
  const indent = isOfOptions ? '\\s+' : ' {4}'
  const line = new RegExp(
    `^${indent}(?!private|protected|constructor)(?:(?:static|readonly|abstract|get|set) )*(?:'([^']+)'|(\\w+))\\??(?:<[^\\n]*)?[:(]`,
    'gm',
  )
  const keys = [...body.matchAll(line)].map(([, quoted, plain]) => quoted ?? plain!)
  const texts = keys.length > 0 ? [] : [...body.matchAll(/'([^']+)'/g)].map(([, text]) => text!)
  return [...new Set([...keys, ...texts])]
}

/** The names that a file exports, with those of the files that it passes on. */
function exportsOf(file: string): string[] {
  const path = existsSync(join(TYPES, `${file}.d.ts`)) ? file : `${file}/index`
  const text = declarationsOf(path)
  const passed = [...text.matchAll(/^export \* from '(.+)';/gm)].flatMap(([, from = '']) =>
    exportsOf(join(dirname(path), from)),
  )
  const listed = [...text.matchAll(/^export \{([^}]+)\}/gm)].flatMap(
    ([, names = '']) => names.match(/\w+/g) ?? [],
  )
  const own = [
    ...text.matchAll(
      /^export (?:declare )?(?:abstract )?(?:class|interface|type|const|function|enum) (\w+)/gm,
    ),
  ].map(([, name]) => name!)
  return [...new Set([...passed, ...listed, ...own])]
}
