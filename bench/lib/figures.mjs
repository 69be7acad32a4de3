// The table of figures in the documentation, made from RESULTS.md and RESULTS-REDIS.md: what the docs say is what was measured.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bench, repository } from './prepare.mjs'

const [BEGIN, END] = ['<!-- figures: begin -->', '<!-- figures: end -->']
const DATABASES = ['PostgreSQL', 'MariaDB', 'MySQL', 'SQLite']
const REDIS = 'Redis'
const [OURS, BEST] = ['typeorm-tasks', 'typeorm-tasks best']

const DRAIN = 'Drain of no-op tasks'
const ENQUEUE = 'Enqueue, tasks/s'
const PROCESSES = 'Several worker processes on one queue, all together'
const LATENCY = 'Latency of an idle worker, ms'

/** A line: its label, where its figures are, and beside whom they stand. `of`: columns, by the title of the table. */
const LINES = [
  drained('draining tasks that do nothing, default settings', '60,000, tasks/s', OURS, [
    ['graphile-worker tuned', 'graphile-worker tuned by hand'],
    ['graphile-worker', 'its default'],
    ['BullMQ on Redis', 'BullMQ on Redis'],
  ]),
  drained('… with `--concurrency 800`', '60,000, tasks/s', BEST, [
    ['graphile-worker best', 'graphile-worker at its best'],
    ['BullMQ on Redis best', 'BullMQ on Redis at its best'],
    ['raw:batch best', 'the bare driver in batches of 500'],
  ]),
  drained(
    '… 20,000 of them, the start of the worker included',
    '20,000, start included, tasks/s',
    OURS,
    [['graphile-worker tuned', 'graphile-worker tuned']],
  ),
  drained('… 150,000 of them, `--concurrency 800`', '150,000, tasks/s', BEST, [
    ['graphile-worker best', 'graphile-worker at its best'],
  ]),
  line('… a burst into a new table, never analysed', {
    title: 'Drain of a burst into a new table, never analysed',
    columns: ['tasks/s'],
    who: OURS,
    beside: [['graphile-worker tuned', 'graphile-worker tuned']],
  }),
  line('… that wait for 2 ms, ten at a time', {
    title: 'Drain of tasks that await 2 ms',
    columns: ['tasks/s'],
    who: OURS,
    beside: [['graphile-worker tuned', 'graphile-worker tuned']],
  }),
  line('… that wait for 2 ms, 800 at a time', {
    title: 'Drain of tasks that await 2 ms',
    columns: ['tasks/s'],
    who: BEST,
    beside: [['graphile-worker best', 'graphile-worker at its best']],
  }),
  enqueued('`enqueue`, one after another', 'one producer'),
  enqueued('`enqueue`, 20 at a time', '20 producers'),
  enqueued('`enqueueMany`, 1,000 a call', 'bulk'),
  line('an idle worker starts a task after (p50, p99), in ms', {
    title: LATENCY,
    columns: ['p50', 'p99'],
    who: OURS,
    beside: [['graphile-worker', 'graphile-worker']],
  }),
  line(
    'draining beside 200,000 finished, 200,000 more waiting, 200,000 due tomorrow, under an old snapshot: × empty',
    {
      title: 'Drain beside what has grown, tasks/s',
      columns: ['finished', 'backlog', 'for tomorrow', 'old snapshot'],
      to: 'empty',
      who: OURS,
      beside: [],
    },
  ),
  line('four worker processes: tasks a second, all together', {
    title: PROCESSES,
    columns: ['tasks/s'],
    who: '4 processes',
    beside: [['1 process', 'one process']],
  }),
  line('CPU seconds for 1,000 tasks, worker and server', {
    title: DRAIN,
    columns: ['worker CPU s per 1,000', 'server CPU s per 1,000'],
    who: OURS,
    beside: [],
  }),
  line('memory of a worker after 1,000,000 tasks: MiB of heap more than at the start, and RSS', {
    title: 'Memory of one worker after many no-op tasks',
    columns: ['heap growth MiB', 'RSS MiB'],
    who: OURS,
    beside: [],
  }),
  line('`db_worker --batch` on an empty table, ms', {
    title: 'Start-up, ms',
    columns: ['ms'],
    who: 'tasks db_worker --batch',
    beside: [["node -e require('typeorm')", "`require('typeorm')` alone"]],
  }),
  line(
    'a claim of 100 rows beside a million finished, 100,000 waiting and 100,000 due tomorrow (p50, p99), ms',
    {
      title: 'One claim on a large table, ms',
      columns: ['p50', 'p99'],
      who: '100 rows a claim',
      beside: [],
    },
  ),
]

/** On Redis: who, beside whom. */
const LINES_ON_REDIS = [
  onRedis('draining tasks that do nothing, ten at a time', DRAIN, '60,000, tasks/s'),
  onRedis('… 200 at a time', DRAIN, '60,000, tasks/s', [BEST, 'BullMQ best']),
  onRedis('… that wait for 2 ms, ten at a time', 'Drain of tasks that await 2 ms', 'tasks/s'),
  onRedis('`enqueue`, one after another', ENQUEUE, 'one producer'),
  onRedis('`enqueue`, 20 at a time', ENQUEUE, '20 producers'),
  onRedis('`enqueueMany`, 1,000 a call', ENQUEUE, 'bulk'),
  onRedis('two worker processes, all together', PROCESSES, 'tasks/s', [
    '2 processes',
    'BullMQ, 2 processes',
  ]),
  onRedis('an idle worker starts a task after (p50), in ms', LATENCY, 'p50'),
]

/** The tables for the docs, of the texts of RESULTS.md and RESULTS-REDIS.md. */
export function figuresOf(results, onRedis) {
  const tables = tablesOf(results)
  const rows = LINES.map(({ label, ...place }) => [
    label,
    figure(tables, 'PostgreSQL', place),
    comparison(tables, place),
    ...DATABASES.slice(1).map((database) => figure(tables, database, place)),
  ])
  return [
    `The run of ${dateOf(results)}:`,
    '',
    '| | PostgreSQL | × others there | MariaDB | MySQL | SQLite |',
    '|---|---|---|---|---|---|',
    // A line of which nothing was measured tells nothing.
    ...rows
      .filter((cells) => cells.slice(1).join('') !== '')
      .map((cells) => `| ${cells.join(' | ')} |`),
    ...figuresOnRedis(onRedis),
  ].join('\n')
}

function dateOf(results) {
  const [, date = '?'] = /^(\d{4}-\d\d-\d\d);/m.exec(results) ?? []
  return date
}

function figuresOnRedis(results) {
  const tables = tablesOf(results)
  const rows = LINES_ON_REDIS.flatMap(({ label, title, column, who: [ours, theirs] }) => {
    const [own, other] = [ours, theirs].map((who) => tables(title, REDIS, who, column))
    if (own === undefined) return []
    const ratio = (valueOf(own) / valueOf(other)).toFixed(2)
    return [`| ${label} | ${own} | ${ratio} |`]
  })
  if (rows.length === 0) return []
  return [
    '',
    `[On Redis](redis.md), beside BullMQ with its own worker at the same concurrency, the run of ${dateOf(results)}:`,
    '',
    '| | typeorm-tasks | × BullMQ |',
    '|---|---|---|',
    ...rows,
  ]
}

/** The part of a page between the marks. */
export function figuresIn(page) {
  const [, rest = ''] = page.split(`${BEGIN}\n`)
  return rest.split(`\n${END}`)[0]
}

/** The figures that were measured last. */
export function measuredFigures() {
  const [results, onRedis] = ['RESULTS.md', 'RESULTS-REDIS.md'].map((name) =>
    readFileSync(join(bench, name), 'utf8'),
  )
  return figuresOf(results, onRedis)
}

/** Writes them into the docs. */
export function writeFigures() {
  const page = figuresPage()
  const text = readFileSync(page, 'utf8')
  const figures = measuredFigures()
  writeFileSync(
    page,
    text.replace(figuresIn(text), () => figures),
  )
}

export function figuresPage() {
  return join(repository, 'docs/operations/speed.md')
}

function line(label, place) {
  return { label, ...place }
}

function onRedis(label, title, column, who = [OURS, 'BullMQ']) {
  return { label, title, column, who }
}

function drained(label, column, who, beside) {
  return line(label, { title: DRAIN, columns: [column], who, beside })
}

function enqueued(label, column) {
  return line(label, {
    title: ENQUEUE,
    columns: [column],
    who: OURS,
    beside: [
      ['raw', 'the bare driver'],
      ['graphile-worker', 'graphile-worker'],
      ['BullMQ on Redis', 'BullMQ on Redis'],
    ],
  })
}

/** By title, database, row and column: the median as text. */
function tablesOf(results) {
  const tables = new Map()
  for (const section of results.split(/^## /m).slice(1)) {
    const [title, ...rest] = section.split('\n')
    let head
    for (const cells of rest.filter((text) => text.startsWith('|')).map(cellsOf)) {
      if ([...DATABASES, REDIS].includes(cells[0])) head = cells
      else if (head !== undefined)
        head.slice(1).forEach((column, i) => {
          const key = [title, head[0], cells[0], column].join('|')
          if (!tables.has(key)) tables.set(key, cells[i + 1].replace(/ \(.*/, ''))
        })
    }
  }
  return (title, database, who, column) => tables.get([title, database, who, column].join('|'))
}

function cellsOf(text) {
  return text.slice(2, -2).split(' | ')
}

function figure(tables, database, { title, columns, who, to }) {
  const texts = columns.map((column) => {
    const text = tables(title, database, who, column)
    if (text === undefined || to === undefined) return text
    return (valueOf(text) / valueOf(tables(title, database, who, to))).toFixed(2)
  })
  return texts.every((text) => text === undefined)
    ? ''
    : texts.map((text) => text ?? '–').join(', ')
}

/** Quotients of the medians. */
function comparison(tables, { title, columns, who, beside }) {
  return beside
    .map(([other, name]) => {
      const [ours, theirs] = [who, other].map((each) =>
        valueOf(tables(title, 'PostgreSQL', each, columns[0])),
      )
      const ratio = ours / theirs
      return Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 10 ? 2 : 0)} × ${name}` : undefined
    })
    .filter((text) => text !== undefined)
    .join('; ')
}

function valueOf(text) {
  return text === undefined ? Number.NaN : Number(text.replaceAll(',', ''))
}
