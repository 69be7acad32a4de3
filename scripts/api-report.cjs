// The package's public types, one entry for each export of each door: node scripts/api-report.cjs [folder of a build]
// Two builds differ for a reader only where this differs: spec/types/api-report.txt holds it, and a spec compares.
const { join, resolve } = require('node:path')
const ts = require('typescript-5')

const root = join(__dirname, '..')

/** Where an export is declared, without comments and bodies; what it inherits from is part of it. */
function declarationsOf(symbol, checker) {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const printer = ts.createPrinter({ removeComments: true })
  return (target.declarations ?? []).map((node) => {
    const whole = ts.isVariableDeclaration(node) ? node.parent.parent : node
    // A list that the formatter broke into lines ends with a comma, which is no difference.
    return printer
      .printNode(ts.EmitHint.Unspecified, whole, whole.getSourceFile())
      .replaceAll(', }', ' }')
  })
}

/** The report as text. */
function apiReport(folder = root) {
  const doors = Object.entries(require(join(folder, 'package.json')).exports)
    .filter(([, door]) => typeof door === 'object')
    .map(([name, door]) => [name, resolve(folder, door.types)])
  const program = ts.createProgram(
    doors.map(([, file]) => file),
    { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, types: [] },
  )
  const checker = program.getTypeChecker()
  return doors
    .map(([name, file]) => {
      const door = checker.getSymbolAtLocation(program.getSourceFile(file))
      const exported = checker
        .getExportsOfModule(door)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      const entries = exported.map((symbol) => declarationsOf(symbol, checker).join('\n'))
      return `# ${name}\n\n${entries.join('\n\n')}\n`
    })
    .join('\n')
}

module.exports = { apiReport }

if (require.main === module) process.stdout.write(apiReport(resolve(process.argv[2] ?? root)))
