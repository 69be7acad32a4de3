import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, repository } from './prepare.mjs'

/**
 * The folder of an app with its data source, in CommonJS.
 *
 * @param entities Code: the entities of the data source.
 * @param tasks Code of its file of tasks, which has `task`. None by default.
 */
export function makeApp(
  { type, host, port, user, password, database },
  { entities = '[DBTaskResult]', tasks } = {},
) {
  const app = mkdtempSync(join(tmpdir(), 'tasks-bench-app-'))
  const options =
    type === 'better-sqlite3'
      ? { type, database, enableWAL: true }
      : { type, host, port, username: user, password, database }
  const driver =
    type === 'better-sqlite3'
      ? `, driver: require(${JSON.stringify(join(bench, 'node_modules/better-sqlite3'))})`
      : ''
  const from = (name) => `require(${JSON.stringify(join(repository, name))})`
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "type": "commonjs" }')
  writeFileSync(
    join(app, 'ormconfig.js'),
    `const { DataSource } = ${from('node_modules/typeorm')}
const { configureTasks, DBTaskResult, taskEntities } = ${from('dist/index.js')}
exports.dataSource = new DataSource({ ...${JSON.stringify(options)}${driver}, entities: ${entities} })
exports.TASKS = configureTasks({ default: { BACKEND: ${from('dist/backends/database/index.js')}.DatabaseBackend, OPTIONS: { dataSource: exports.dataSource } } })
`,
  )
  if (tasks !== undefined)
    writeFileSync(join(app, 'tasks.js'), `const { task } = ${from('dist/index.js')}\n${tasks}\n`)
  return app
}
