import { diffLines } from './edit/diff'
import { shownPath } from './find-data-source'
import type { MigrationState } from './migration'
import { compiledPath } from './paths'
import { appArguments, hasExample, type Left, type Plan, type Target } from './plan'
import { changesInGit } from './project'
import type { Change } from './write'

const HEALTH_PORT = 9464

/** What was found: package manager, module kind and the like. */
export function foundLines({ project, app, nest }: Target): string[] {
  const { manager, root, typescript } = project
  const { type } = app.dataSource.options
  return [
    `Found in ${root}:`,
    ...aligned([
      ['package', project.name],
      [
        'package manager',
        manager.lockFile ? `${manager.name} (${manager.lockFile})` : manager.name,
      ],
      [
        'language',
        app.language === 'ts'
          ? `TypeScript${typescript === undefined ? '' : ` ${typescript}`}`
          : 'JavaScript',
      ],
      ['modules', app.modules === 'esm' ? 'ES modules' : 'CommonJS'],
      ['TypeORM', project.typeorm ?? 'of an unknown version'],
      ...(project.nest === undefined
        ? []
        : [
            [
              'NestJS',
              `${project.nest}, ${nest ? `${nest.name} in ${shownPath(nest.file)}` : 'without an app.module.ts: set up like any other app'}`,
            ] as const,
          ]),
      ['data source', `${shownPath(app.file)} (${type})`],
    ]),
    ...gitLines(root),
  ]
}

/** What will be written and changed, as a diff, and what is left to the reader. */
export function planLines({ changes, left }: Plan): string[] {
  if (changes.length === 0 && left.length === 0) return ['', 'All files are as they should be.']
  return [...changes.flatMap(changeLines), ...left.flatMap(leftLines)]
}

/** What somebody does with the app from here on. */
export function nextLines(target: Target, migration: MigrationState): string[] {
  const { project, app } = target
  const { exec, run } = project.manager
  // Without a package manager around it, which as the first process of a container would end at once.
  const tasks = 'node node_modules/.bin/tasks'
  const worker = `${tasks} db_worker ${productionArguments(target)}`.trim()
  return [
    '',
    'Next:',
    ...(migration === 'waiting'
      ? [`  ${exec} typeorm migration:run -d ${compiledPath(app.file, project)}`]
      : []),
    `  ${run} worker`,
    ...(hasExample(target)
      ? [`  ${exec} tasks enqueue example.hello '["Ada"]'${forCommand(appArguments(target))}`]
      : []),
    '',
    `In production${compiledPath(app.file, project) === shownPath(app.file) ? '' : ', once the app is compiled'}, in a Procfile:`,
    `  worker: ${worker}`,
    'or in compose.yaml:',
    '  worker:',
    '    build: .',
    `    command: ${worker} --health-port ${HEALTH_PORT}`,
    '    healthcheck:',
    `      test: ${tasks} health --port ${HEALTH_PORT}`,
    '    restart: unless-stopped',
    '    stop_grace_period: 40s',
  ]
}

function productionArguments({ app, project, nest }: Target): string {
  return nest
    ? `--nest ${compiledPath(nest.file, project)}#${nest.name}`
    : `-d ${compiledPath(app.file, project)}`
}

function forCommand(given: readonly string[]): string {
  return given.length === 0 ? '' : ` ${given.join(' ')}`
}

function changeLines({ file, before, after }: Change): string[] {
  return before === undefined
    ? ['', `New: ${shownPath(file)}`, ...indented(after.trimEnd().split('\n'))]
    : ['', `Changed: ${shownPath(file)}`, ...indented(diffLines(before, after).map(withoutSecrets))]
}

const SECRET =
  /((?:password|passwd|passphrase|secret|token)["']?\s*[:=]\s*)(["'`])(?:\\.|(?!\2).)*\2/gi

/** The lines around a change are those of the connection. */
function withoutSecrets(line: string): string {
  return line.replace(SECRET, '$1$2***$2')
}

function leftLines({ file, lines }: Left): string[] {
  return [
    '',
    `For you: ${shownPath(file)} is not of a plain form, so it is left as it is. Add to it:`,
    ...indented(lines),
  ]
}

function gitLines(root: string): string[] {
  const changed = changesInGit(root)
  return changed === undefined || changed === 0
    ? []
    : [
        `Not committed: ${changed} file(s). Commit them first if "git diff" is to show only what this command changes.`,
      ]
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`))
}
