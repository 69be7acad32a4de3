// Looks at the package as it would be published: its manifest (publint) and its types (are the types wrong).
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'typeorm-tasks-pack-'))
try {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  const tarball = join(folder, packed.filename)
  run('publint', ['run', '--strict', tarball])
  run('attw', [tarball, '--profile', 'strict'])
  const strays = packed.files
    .map(({ path }) => path)
    .filter(
      (path) => !/^(dist\/|docs\/|package\.json$|README\.md$|LICENSE$|CHANGELOG\.md$)/.test(path),
    )
  if (strays.length > 0)
    throw new Error(`The package holds files it should not: ${strays.join(', ')}`)
  console.log(
    `${packed.name}@${packed.version}: ${packed.files.length} files, ${packed.size} bytes packed`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(tool, args) {
  execFileSync('npx', [tool, ...args], { stdio: 'inherit' })
}
