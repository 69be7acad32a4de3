import { createRequire } from 'node:module'
import { join, relative, sep } from 'node:path'
import { LoadError } from '../../lib/errors/errors'
import type { App } from './load-app'
import { taskFilesOf, taskFilesOfWorkspace } from './task-modules'
import { currentPackage, workspaceAbove } from './workspace'

const MOST_HINTS = 3

/** Why the app has no task, and how it gets some. `files`: those that were loaded because of their names or TASK_MODULES. */
export async function noTasks(app: App, files: readonly string[]): Promise<LoadError> {
  if (app.nestModule !== undefined)
    return new LoadError(
      `No tasks are defined: no provider of ${app.nestModule} has a method with @TaskHandler, and ${app.file} imports no file with task(…).`,
      "Put @TaskHandler('some.name') on a method of a provider, and list that provider in a module of the app.",
    )
  if (files.length > 0)
    return new LoadError(
      `No tasks are defined: none of the loaded files defines one (${named(files)}).`,
      `${forNest(app)}Call task(name, function) at their top level, with the typeorm-tasks that this command belongs to.`,
    )
  const current = currentPackage()
  const folders = [app.root, ...(current === undefined || current === app.root ? [] : [current])]
  return new LoadError(
    `No tasks are defined: ${app.taskModules === undefined ? `there is no ${fileNames(app)} in ${folders.join(', nor in ')}` : 'TASK_MODULES is empty'}, and ${app.file} imports none.`,
    [
      forNest(app).trim(),
      `Export TASK_MODULES from that file, e.g. TASK_MODULES = [${await example(app, folders)}], or import the files with the tasks there.`,
      uncompiled(app),
    ]
      .filter(Boolean)
      .join(' '),
  )
}

/** In an app of Nest the handlers are methods of providers, which no file of tasks defines. */
function forNest({ root, language }: App): string {
  try {
    createRequire(join(root, 'package.json')).resolve('@nestjs/core')
  } catch {
    return ''
  }
  const file = language === 'ts' ? 'src/app.module.ts' : 'dist/app.module.js'
  return `For handlers of NestJS give the module of the app: --nest ${file}#AppModule. `
}

function fileNames({ language }: App): string {
  return language === 'ts' ? 'tasks.ts, *.tasks.ts or .js' : 'tasks.js or *.tasks.js'
}

/** Files of other packages of the workspace, if there are any. */
async function example(app: App, folders: readonly string[]): Promise<string> {
  const [root] = folders.flatMap((folder) => workspaceAbove(folder) ?? [])
  const found = root === undefined ? [] : await taskFilesOfWorkspace(app, root)
  const entries = found.length > 0 ? found.map((file) => from(app.root, file)) : ['src/jobs/*.ts']
  return entries
    .slice(0, MOST_HINTS)
    .map((entry) => `'${entry}'`)
    .join(', ')
}

/** Says that a compiled app has tasks in TypeScript only. */
function uncompiled(app: App): string {
  if (app.language === 'ts') return ''
  const sources = taskFilesOf({ ...app, language: 'ts' }, app.root).filter((file) =>
    file.endsWith('ts'),
  )
  return sources.length === 0
    ? ''
    : `The data source file is JavaScript, and ${named(sources)} TypeScript: compile the app, or give its data source in TypeScript with --data-source.`
}

function named(files: readonly string[]): string {
  const shown = files.slice(0, MOST_HINTS).map((file) => from(process.cwd(), file))
  return `${shown.join(', ')}${files.length > MOST_HINTS ? ` and ${files.length - MOST_HINTS} more` : ''}`
}

function from(folder: string, file: string): string {
  return relative(folder, file).split(sep).join('/')
}
