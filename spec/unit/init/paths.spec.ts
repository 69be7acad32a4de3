import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compiledPath } from '../../../cli/init/paths'
import type { Project } from '../../../cli/init/project'
import { temporaryFolder } from '../../support/packed'

const root = temporaryFolder('init-paths')
const project = { root } as Project
const options = (compilerOptions: object, more: object = {}): string =>
  JSON.stringify({ ...more, compilerOptions })

it('the compiled form of a file follows the tsconfig of the build', () => {
  mkdirSync(join(root, 'src'))
  const file = join(root, 'src/data-source.ts')
  expect(compiledPath(join(root, 'src/data-source.js'), project)).toBe('src/data-source.js')

  writeFileSync(join(root, 'tsconfig.json'), options({ outDir: './dist', rootDir: '.' }))
  writeFileSync(
    join(root, 'tsconfig.build.json'),
    options({ rootDir: './src' }, { extends: './tsconfig.json' }),
  )
  expect(compiledPath(file, project)).toBe('dist/data-source.js')
})
