import { existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { backends } from '../../lib/backend-registry'
import type { AppInDatabase } from '../app/load-app'
import { taskFilesOf } from '../app/task-modules'
import { editDataSource, type Edit } from './edit/data-source'
import { editManifest } from './edit/manifest'
import { editModule, type Provider } from './edit/module'
import { type Source, styleOf } from './edit/plain-form'
import { tokensOf } from './edit/tokens'
import { isFoundByDefault, shownPath } from './find-data-source'
import { listsTasks } from './migration'
import {
  dashboardFile,
  exampleHandlers,
  exampleSchedules,
  exampleTasks,
  type Form,
  scheduledHandlers,
} from './new-files'
import { importPath, sourceFolder } from './paths'
import { parses } from './parses'
import type { Project } from './project'
import type { RootModule } from './root-module'
import { sourcesThatSay } from './source-files'
import type { Change } from './write'

/** Lines that the reader must add to a file, because its form is not plain. */
export interface Left {
  readonly file: string
  readonly lines: readonly string[]
}

export interface Plan {
  readonly changes: readonly Change[]
  readonly left: readonly Left[]
}

export interface Target {
  readonly project: Project
  readonly app: AppInDatabase
  /** Nest's root module; absent in other apps. */
  readonly nest?: RootModule
}

/** What the user asked for beside a first task. */
export interface Extras {
  readonly dashboard: boolean
  readonly schedules: boolean
}

/** What to write and to change so that the app has tasks. What is there already is left as it is. */
export function planOf(target: Target, extras: Extras): Plan {
  const files = newFiles(target, extras)
  const edits = [
    edited(target, target.app.file, dataSourceEdit(target)),
    ...(target.nest ? [moduleEdit(target, target.nest, files)] : []),
    manifestEdit(target),
  ]
  return {
    changes: [
      ...files.map(({ file, text }) => ({ file, after: text })),
      ...edits.flatMap(({ changes }) => changes),
    ],
    left: edits.flatMap(({ left }) => left),
  }
}

/** Whether the app has the first task that this command writes. */
export function hasExample({ app, project }: Target): boolean {
  return existsSync(join(sourceFolder(project, app.file), `example.tasks${extname(app.file)}`))
}

/** The arguments by which commands find the app: none, `-d src/db.ts`, or `--nest src/app.module.ts#AppModule`. */
export function appArguments({ app, project, nest }: Target): string[] {
  if (nest) return ['--nest', `${fromRoot(nest.file, project)}#${nest.name}`]
  return isFoundByDefault(app.file, project.root) ? [] : ['-d', fromRoot(app.file, project)]
}

interface NewFile {
  readonly file: string
  readonly text: string
  /** The class of Nest in it. */
  readonly provider?: string
}

function newFiles(target: Target, extras: Extras): NewFile[] {
  const { app, project, nest } = target
  const form = { ...app, style: styleOf(sourceOf(app.file)) }
  const at = (name: string): string =>
    join(sourceFolder(project, app.file), name + extname(app.file))
  const written = (name: string, plain: Text, handlers: Text, provider: string): NewFile =>
    nest
      ? { file: at(name), text: handlers(form, provider), provider }
      : { file: at(name), text: plain(form, provider) }
  const wished = [
    ...(hasTasks(target)
      ? []
      : [written('example.tasks', exampleTasks, exampleHandlers, 'ExampleTasks')]),
    ...(extras.schedules
      ? [
          written(
            'example.schedules.tasks',
            exampleSchedules,
            scheduledHandlers,
            'ExampleSchedules',
          ),
        ]
      : []),
    ...(extras.dashboard ? [{ file: at('tasks.dashboard'), text: dashboardFile(form) }] : []),
  ]
  return wished.filter(({ file }) => !existsSync(file))
}

type Text = (form: Form, className: string) => string

function sourceOf(file: string): Source {
  const text = readFileSync(file, 'utf8')
  return { text, tokens: tokensOf(text) ?? [] }
}

/** An app that has tasks needs no example of them. */
function hasTasks({ app, project }: Target): boolean {
  const files = taskFilesOf(app, project.root).filter((file) => existsSync(file))
  if (app.taskModules !== undefined || files.length > 0) return true
  return sourcesThatSay(['@', 'TaskHandler', '('], project.root).length > 0
}

function dataSourceEdit({ app, project, nest }: Target): Edit {
  const isConfigured =
    backends.isConfigured ||
    app.tasksSettings !== undefined ||
    sourcesThatSay(['configureTasks', '('], project.root).length > 0
  return editDataSource(readFileSync(app.file, 'utf8'), {
    isCommonJs: app.language === 'js' && app.modules === 'commonjs',
    needsEntities: !listsTasks(app.dataSource),
    needsTasks: nest === undefined && !isConfigured,
  })
}

function moduleEdit(target: Target, { file }: RootModule, files: readonly NewFile[]): Plan {
  const providers = files.flatMap(({ file: path, provider }): Provider[] =>
    provider === undefined ? [] : [{ name: provider, from: importPath(file, path, target.app) }],
  )
  const needsModule = sourcesThatSay(['TasksModule', '.'], target.project.root).length === 0
  return edited(target, file, editModule(readFileSync(file, 'utf8'), providers, needsModule))
}

/** An edit that the app's own compiler can read; else its lines are for the reader. */
function edited({ app }: Target, file: string, { text, left }: Edit): Plan {
  if (left.length > 0) return { changes: [], left: [{ file, lines: left }] }
  if (text === undefined) return { changes: [], left: [] }
  const before = readFileSync(file, 'utf8')
  if (parses(file, text, app)) return { changes: [{ file, before, after: text }], left: [] }
  return { changes: [], left: [{ file, lines: addedLines(before, text) }] }
}

function addedLines(before: string, after: string): string[] {
  const known = new Set(before.split(/\r?\n/))
  return after.split(/\r?\n/).filter((line) => !known.has(line))
}

function manifestEdit(target: Target): Plan {
  const { root, manifest } = target.project
  const file = join(root, 'package.json')
  const given = appArguments(target).join(' ')
  const { text, left } = editManifest(manifest, {
    worker: `tasks db_worker ${given}`.trim(),
    'tasks:check': `tasks check ${given}`.trim(),
  })
  return {
    changes: text === undefined ? [] : [{ file, before: manifest, after: text }],
    left: left.length > 0 ? [{ file, lines: left }] : [],
  }
}

function fromRoot(file: string, { root }: Project): string {
  const path = shownPath(file)
  return file.startsWith(root) ? file.slice(root.length + 1).replaceAll('\\', '/') : path
}
