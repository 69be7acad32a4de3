import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, parse } from 'node:path'
import { resolveExports } from 'resolve-pkg-maps'

/** For a package whose "exports" have no entry for `require`: the file that `import` would load. */
export function importedEntry(request: string, from: string): string | undefined {
  const [, name, inner = ''] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(request) ?? []
  const folder = name && packageFolder(name, from)
  if (!folder) return undefined
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    exports: PackageExports
  }
  return entries(exports, `.${inner}`)
    .map((path) => join(folder, path))
    .find(existsSync)
}

function entries(exports: PackageExports, path: string): string[] {
  try {
    return resolveExports(exports, path.replace(/^\.\/?/, ''), [
      'node',
      'import',
      'module-sync',
      'default',
    ])
  } catch {
    return [] // Node's own error explains better what the package does not export
  }
}

/** The folder in node_modules of an installed package, by Node's rule. */
export function packageFolder(name: string, from: string): string | undefined {
  const { root } = parse(from)
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (folder === root) return undefined
  }
}

type PackageExports = Parameters<typeof resolveExports>[0]
