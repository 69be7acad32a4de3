// The structure of the sources in numbers: node scripts/house.cjs
// Circles are counted twice: among all files, and in each folder among what stands in it (a file, or a folder as a whole).
// Types count as much as values: a circle that only types close costs the reader just as much.
const { readdirSync, readFileSync } = require('node:fs')
const { dirname, join, relative, resolve } = require('node:path')

const root = join(__dirname, '..')
const ROOMS = [
  'lib',
  'entities',
  'backends',
  'cli',
  'dashboard',
  'integrations/metrics',
  'integrations/nestjs',
  'integrations/opentelemetry',
  'integrations/prometheus',
  'testing',
]
/** What is bundled with all that it needs of packages: a program for browsers, and modules that the build puts together. */
const BUNDLED = [join('dashboard', 'page'), join('dashboard', 'bundled')]

/** The TypeScript files of a folder, however deep, by their paths from the repository. */
function sourcesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .filter((file) => !BUNDLED.some((folder) => file.startsWith(folder)))
}

/** What a file imports, exports again, or requires: `{ from, target, typeOnly }`. */
function importsOf(file) {
  const source = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  const found = [
    ...source.matchAll(/^(?:import|export)\s+(type\s)?[^'"`;]*?from '([^']+)'/gm),
    ...source.matchAll(/^import ()'([^']+)'/gm),
    ...source.matchAll(/(?:import|require)(\()'([^']+)'\)/g),
  ]
  return found.map(([, type = '', target = '']) => ({
    from: file,
    target,
    typeOnly: type.trim() === 'type',
  }))
}

/** Each file with the files that it imports. */
function graphOf(files) {
  const known = new Set(files)
  const fileAt = (base) => [`${base}.ts`, join(base, 'index.ts')].find((file) => known.has(file))
  return new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter(({ target }) => target.startsWith('.'))
        .map(({ target }) => fileAt(relative(root, resolve(root, dirname(file), target))))
        .filter((target) => target !== undefined && target !== file),
    ]),
  )
}

/** The same among what stands in one folder. */
function graphIn(folder, graph) {
  const unitOf = (file) =>
    file.startsWith(`${folder}/`) ? file.slice(folder.length + 1).split('/')[0] : undefined
  const units = new Map()
  for (const [file, targets] of graph) {
    const unit = unitOf(file)
    if (unit === undefined) continue
    const known = units.get(unit) ?? new Set()
    for (const target of targets)
      if (![undefined, unit].includes(unitOf(target))) known.add(unitOf(target))
    units.set(unit, known)
  }
  return units
}

/** Sets of nodes that reach each other (Tarjan's strongly connected components of more than one node). */
function circlesOf(graph) {
  const [index, low, stack, circles] = [new Map(), new Map(), [], []]
  const visit = (node) => {
    index.set(node, index.size)
    low.set(node, index.get(node))
    stack.push(node)
    for (const target of graph.get(node) ?? []) {
      if (!index.has(target)) visit(target)
      if (stack.includes(target)) low.set(node, Math.min(low.get(node), low.get(target)))
    }
    if (low.get(node) !== index.get(node)) return
    const circle = stack.splice(stack.indexOf(node))
    if (circle.length > 1) circles.push(circle.toSorted())
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return circles
}

/** Every folder of the rooms that has files in it, with how many. */
function foldersOf(files) {
  const folders = new Map()
  for (const file of files) folders.set(dirname(file), (folders.get(dirname(file)) ?? 0) + 1)
  return folders
}

function house() {
  const files = ['index.ts', ...ROOMS.flatMap(sourcesOf)]
  const graph = graphOf(files)
  const folders = foldersOf(files)
  const lines = files.map((file) => [
    readFileSync(join(root, file), 'utf8').split('\n').length,
    file,
  ])
  return {
    files: files.length,
    folders: [...folders].toSorted(([, a], [, b]) => b - a),
    circles: circlesOf(graph),
    circlesInFolders: [...folders.keys()]
      .filter((folder) => folder !== '.')
      .flatMap((folder) => circlesOf(graphIn(folder, graph)).map((circle) => ({ folder, circle }))),
    longest: lines.toSorted(([a], [b]) => b - a).slice(0, 5),
  }
}

module.exports = { ROOMS, circlesOf, graphOf, house, importsOf, root, sourcesOf }

if (require.main === module) {
  const { files, folders, circles, circlesInFolders, longest } = house()
  console.log(`${files} files in ${folders.length} folders`)
  console.log(
    `largest folders: ${folders
      .slice(0, 4)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')}`,
  )
  console.log(`longest files: ${longest.map(([n, name]) => `${name} ${n}`).join(', ')}`)
  console.log(`circles among files: ${circles.length}`)
  for (const circle of circles) console.log(`  ${circle.join(' ↔ ')}`)
  console.log(`circles in a folder: ${circlesInFolders.length}`)
  for (const { folder, circle } of circlesInFolders)
    console.log(`  ${folder}: ${circle.join(' ↔ ')}`)
}
