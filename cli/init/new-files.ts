import type { Style } from './edit/plain-form'

/** How the app's files are written. */
export interface Form {
  readonly language: 'ts' | 'js'
  readonly modules: 'commonjs' | 'esm'
  readonly style: Style
}

/** A first task. */
export function exampleTasks(form: Form): string {
  const [name, result] =
    form.language === 'ts' ? ['name: string', ': Promise<string>'] : ['name', '']
  return file(form, ['task'], 'typeorm-tasks', [
    '// Workers find tasks in files named tasks or *.tasks. The name is stored in each row: do not change it later.',
    ...exported(form, 'hello', [
      `task('example.hello', async (${name})${result} => {`,
      '  return `Hello, ${name}!`',
      '})',
    ]),
  ])
}

/** The same as a class of Nest. */
export function exampleHandlers(form: Form, className: string): string {
  return handlersFile(form, className, [
    "  @TaskHandler('example.hello')",
    '  async hello(name: string): Promise<string> {',
    '    return `Hello, ${name}!`',
    '  }',
  ])
}

/** A first schedule, with its task. */
export function exampleSchedules(form: Form): string {
  const day = form.language === 'ts' ? 'day: string' : 'day'
  return file(form, ['schedule', 'task'], 'typeorm-tasks', [
    ...exported(form, 'report', [
      `task('example.report', async (${day}) => \`report of \${day}\`)`,
    ]),
    '',
    '// Every worker that loads this file fires it; each slot runs once.',
    ...exported(form, 'nightly', [
      "schedule('example.nightly', report, {",
      "  cron: '30 2 * * *',",
      "  timeZone: 'UTC',",
      '  args: ({ slot }) => [slot.toISOString().slice(0, 10)],',
      '})',
    ]),
  ])
}

/** The same as a class of Nest. */
export function scheduledHandlers(form: Form, className: string): string {
  return handlersFile(form, className, [
    "  @TaskHandler('example.nightly', {",
    '    schedule: {',
    "      cron: '30 2 * * *',",
    "      timeZone: 'UTC',",
    '      args: ({ slot }) => [slot.toISOString().slice(0, 10)],',
    '    },',
    '  })',
    '  async nightly(day: string): Promise<string> {',
    '    return `report of ${day}`',
    '  }',
  ])
}

/** The dashboard, closed to everybody until somebody writes who may see it. */
export function dashboardFile(form: Form): string {
  const user = form.language === 'ts' ? '(_request: unknown)' : '(_request)'
  return file(form, ['dashboard'], 'typeorm-tasks/dashboard', [
    "// Mount it: app.use('/admin/tasks', page.node) in Express, Nest and node:http; fastify.all('/admin/tasks/*', page.fastify).",
    ...exported(form, 'page', [
      'dashboard({',
      "  // Who may see it: 'all', a list such as ['view', 'retry'], or null for nobody.",
      `  authorize: ${user} => null,`,
      '})',
    ]),
  ])
}

function handlersFile({ style }: Form, className: string, body: readonly string[]): string {
  return lines(style, [
    "import { Injectable } from '@nestjs/common'",
    "import { TaskHandler } from 'typeorm-tasks/nestjs'",
    '',
    '// A provider of Nest: its constructor gets what the tasks need. Each name is stored in rows: do not change it later.',
    '@Injectable()',
    `export class ${className} {`,
    ...body,
    '}',
  ])
}

function file(
  { language, modules, style }: Form,
  names: readonly string[],
  from: string,
  text: readonly string[],
): string {
  const [list, quoted] = [`{ ${names.join(', ')} }`, `'${from}'`]
  const first =
    language === 'ts' || modules === 'esm'
      ? `import ${list} from ${quoted}`
      : `const ${list} = require(${quoted})`
  return lines(style, [first, '', ...text])
}

function exported(
  { language, modules }: Form,
  name: string,
  [first = '', ...rest]: readonly string[],
): string[] {
  return language === 'ts' || modules === 'esm'
    ? [`export const ${name} = ${first}`, ...rest]
    : [`const ${name} = ${first}`, ...rest, `exports.${name} = ${name}`]
}

/** In the style of the app. A statement ends where the next line does not go on with it. */
function lines({ quote, semicolon, indent, newline }: Style, text: readonly string[]): string {
  return text
    .map((line) => (STATEMENT.test(line) ? line + semicolon : line))
    .map((line) =>
      line.replaceAll("'", quote).replace(/^ +/, (blanks) => indent.repeat(blanks.length / 2)),
    )
    .map((line) => line + newline)
    .join('')
}

/** A line of the texts above that ends a statement. */
const STATEMENT = /^(?:import |const .*[^{]$|export const .*[^{]$|exports\.|\}\)$| +return )/
