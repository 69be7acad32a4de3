import { Registry } from 'prom-client'
import { configureTasks, DBTaskResult, group } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { register } from 'typeorm-tasks/prometheus'
import { parse } from 'yaml'
import * as table from '../../integrations/metrics/table'
import { describeEachDatabase } from '../support/databases'
import { blocksOf, textOf } from '../support/markdown'
import { nothing } from '../support/tasks'

const PAGE = 'docs/operations/telemetry.md'
const metrics: table.Metric[] = Object.values(table)
const files = new Map(
  blocksOf(PAGE)
    .filter(({ language }) => language === 'yaml')
    .map(({ text }) => [/^# (\S+)\n/.exec(text)?.[1], parse(text) as Value]),
)
const dashboard = blocksOf(PAGE)
  .filter(({ language }) => language === 'json')
  .map(({ text }) => JSON.parse(text) as Value)
  .find(({ title }) => title === 'Tasks')

interface Value {
  readonly [name: string | number]: Value & string
}

/** Every text below a key of that name. */
function textsOf(value: unknown, key: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    name === key && typeof inner === 'string' ? [inner] : textsOf(inner, key),
  )
}

it('lists all metrics, with their labels and both names, and no other', () => {
  const rows = [
    ...textOf(PAGE).matchAll(/^\| `(typeorm_tasks_\w+)` \| `([\w.]+)` \| ([\w, ]*)\|/gm),
  ]
  const listed = rows.map(([, prometheus, name, labels = '']) => [
    prometheus,
    name,
    labels.trim() === '' ? [] : labels.trim().split(', '),
  ])
  expect(listed.toSorted()).toEqual(
    metrics.map(({ prometheus, name, labels }) => [prometheus, name, [...labels]]).toSorted(),
  )
})

it('has its metrics in a registry under these names', () => {
  const registry = new Registry()
  const end = register(registry, { queues: true })
  const names = registry.getMetricsAsArray().map(({ name }) => name)
  end()

  expect(names.toSorted()).toEqual(metrics.map(({ prometheus }) => prometheus).toSorted())
})

it('asks in its alerts, its scaling and its dashboard for metrics that there are, by labels that they have', () => {
  const expressions = [
    ...textsOf(files.get('alerts.yaml'), 'expr'),
    ...textsOf(dashboard, 'expr'),
    files.get('scaled-object.yaml')?.['spec']?.['triggers']?.[0]?.['metadata']?.['query'] ?? '',
  ]
  expect(expressions).toHaveLength(5 + 11 + 1)
  for (const expression of expressions) {
    const asked = [...expression.matchAll(/typeorm_tasks_\w+/g)].map(([name]) =>
      metrics.find(({ prometheus }) => [prometheus, `${prometheus}_bucket`].includes(name)),
    )
    const grouped = [...expression.matchAll(/by \(([\w, ]+)\)/g)].flatMap(([, names = '']) =>
      names.split(', '),
    )
    const matched = [...expression.matchAll(/[{,](\w+)=/g)].map(([, name = '']) => name)
    const known = ['le', ...asked.flatMap((metric) => [...(metric?.labels ?? [])])]
    expect([expression, asked.length, asked.includes(undefined)]).toEqual([expression, 1, false])
    expect([expression, [...grouped, ...matched].filter((name) => !known.includes(name))]).toEqual([
      expression,
      [],
    ])
  }
})

it('scales the Deployment of the workers', () => {
  for (const name of ['scaled-object.yaml', 'scaled-object-sql.yaml'])
    expect(files.get(name)).toMatchObject({
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      spec: { scaleTargetRef: { name: 'app-worker' } },
    })
})

describeEachDatabase(
  (database) => {
    it('counts by SQL what is due in these queues', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
      await nothing.enqueue()
      await nothing.using({ queueName: 'mail' }).enqueue()
      await nothing.using({ queueName: 'mail', runAfter: new Date(Date.now() - 60_000) }).enqueue()
      await nothing.using({ queueName: 'mail', runAfter: new Date(Date.now() + 60_000) }).enqueue()
      await nothing.using({ queueName: 'other' }).enqueue()
      await group([nothing.using({ queueName: 'other' }).order()])
        .next(() => nothing.order())
        .enqueue()
      const spec = files.get('scaled-object-sql.yaml')?.['spec']
      const query = spec?.['triggers']?.[0]?.['metadata']?.['query'] ?? ''

      const [row] = await dataSource.query<{ count: string }[]>(query)

      expect(Number(row?.count)).toBe(3)
    })
  },
  { only: ['postgres'] },
)
