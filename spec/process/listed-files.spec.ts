import { cliApp } from '../support/cli-app'

const SOURCE = `import type { MigrationInterface } from 'typeorm'\nexport class First1700000000000 implements MigrationInterface {}`

it.each([
  [
    'migrations',
    'src/*.ts',
    { 'src/1-first.ts': SOURCE },
    /^error: The DataSource lists src\/\*\.ts as migrations: \/.*\/src\/1-first\.ts does not load: SyntaxError: .*\. The app runs compiled: list the compiled files, e\.g\. migrations: \[join\(__dirname, 'migrations\/\*\.js'\)\]\.\n$/,
  ],
  [
    'entities',
    '{src,lib}/*.js',
    { 'src/good.js': '', 'lib/bad.js': 'const = 1' },
    /^error: The DataSource lists \{src,lib\}\/\*\.js as entities: \/.*\/lib\/bad\.js does not load: SyntaxError: .*bad\.js:1\)\. Fix the error there/,
  ],
  [
    'subscribers',
    'src/*.js',
    { 'src/needy.js': `require('no-such-package')` },
    /^error: The DataSource lists src\/\*\.js as subscribers: .*needy\.js does not load: Error: Cannot find module 'no-such-package'\. Install that package/,
  ],
])('a file among the %s that does not load is named', async (list, glob, files, message) => {
  const app = await cliApp({ files: files as Record<string, string> })
  app.write(
    'ormconfig.js',
    `const { DataSource } = require('typeorm')
     const { DBTaskResult } = require('typeorm-tasks')
     const options = { type: 'better-sqlite3', database: 'app.sqlite', entities: [DBTaskResult] }
     exports.dataSource = new DataSource({ ...options, ${list}: [...(options.${list} ?? []), '${glob}'] })`,
  )

  const [check, plan] = await Promise.all([
    app.tasks('check'),
    app.tasks('makemigrations', '--check'),
  ])

  expect(check).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(message) })
  // It loads neither migrations nor subscribers.
  if (list === 'entities') expect(plan).toEqual(check)
  else expect(plan.code).toBe(0)
})
