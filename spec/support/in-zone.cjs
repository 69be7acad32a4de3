// A process of its own, for the sake of its TZ: writes rows, or reads them, by the repository of each given DataSource.
const { readFileSync } = require('node:fs')
const Module = require('node:module')
const path = require('node:path')
const swc = require('@swc/core')

Module._extensions['.ts'] = (module, file) =>
  module._compile(
    swc.transformFileSync(file, {
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: {
          legacyDecorator: true,
          decoratorMetadata: true,
          useDefineForClassFields: false,
        },
      },
      module: { type: 'commonjs' },
    }).code,
    file,
  )

const { DataSource, MoreThanOrEqual } = require('typeorm')
const { DBTaskResult } = require(path.join(__dirname, '../../entities/index.ts'))

async function main({ databases, write, find }) {
  const answers = []
  for (const options of databases) {
    const dataSource = await new DataSource({ ...options, entities: [DBTaskResult] }).initialize()
    const rows = dataSource.getRepository(DBTaskResult)
    if (write)
      await rows.save(
        write.map((row) => ({
          ...row,
          enqueuedAt: new Date(row.enqueuedAt),
          runAfter: new Date(row.runAfter),
        })),
      )
    const all = await rows.find()
    answers.push({
      read: Object.fromEntries(
        all.map(({ id, enqueuedAt, runAfter }) => [
          id,
          [enqueuedAt.toISOString(), runAfter.toISOString()],
        ]),
      ),
      found: await rows.countBy({ enqueuedAt: MoreThanOrEqual(new Date(find)) }),
    })
    await dataSource.destroy()
  }
  process.stdout.write(JSON.stringify(answers))
}

main(JSON.parse(readFileSync(0, 'utf8'))).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
