// The package's public types, one entry for each export of each door: node scripts/api-report.cjs [folder of a build]
// Two builds differ for a reader only where this differs: spec/types/api-report.txt holds it, and a spec compares.
const { join, resolve } = require('node:path')
const ts = require('typescript-5')

const root = join(__dirname, '..')

const FLAGS =
  ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope

/** The members of a type, also inherited ones, by name: where they are declared makes no difference to a user. */
function membersOf(type, checker) {
  const members = checker
    .getPropertiesOfType(type)
    .filter((member) => isPublic(member))
    .map((member) => {
      const optional = member.flags & ts.SymbolFlags.Optional ? '?' : ''
      return `${member.name}${optional}: ${checker.typeToString(checker.getTypeOfSymbol(member), undefined, FLAGS)}`
    })
  return members.toSorted().map((line) => `    ${line}`)
}

function isPublic(member) {
  if (/^(__)?#|^prototype$/.test(member.name)) return false
  return (member.declarations ?? []).every(
    (node) =>
      !(
        ts.getCombinedModifierFlags(node) &
        (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)
      ),
  )
}

/** Values print their type, types their members; a type with none of its own prints its declaration. */
function entryOf(exported, checker) {
  const symbol =
    exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
  const lines = []
  if (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface))
    lines.push(
      `${headOf(symbol)} {`,
      ...membersOf(checker.getDeclaredTypeOfSymbol(symbol), checker),
      '}',
    )
  if (symbol.flags & ts.SymbolFlags.TypeAlias)
    lines.push(...symbol.declarations.map((node) => textOf(node)))
  if (symbol.flags & ts.SymbolFlags.Value) lines.push(...valueOf(symbol, checker))
  return lines.join('\n')
}

function valueOf(symbol, checker) {
  const type = checker.getTypeOfSymbol(symbol)
  const signatures = (kind) =>
    checker
      .getSignaturesOfType(type, kind)
      .map((signature) => checker.signatureToString(signature, undefined, FLAGS, kind))
  const statics = symbol.flags & ts.SymbolFlags.Class ? membersOf(type, checker) : []
  const made = signatures(ts.SignatureKind.Construct).map(
    (text) => `new ${symbol.name}${text.replace(/^new /, '')}`,
  )
  const called = signatures(ts.SignatureKind.Call).map((text) => `${symbol.name}${text}`)
  const lines = [...made, ...called, ...statics.map((line) => `static ${line.trim()}`)]
  return lines.length > 0
    ? lines
    : [`${symbol.name}: ${checker.typeToString(type, undefined, FLAGS)}`]
}

function headOf(symbol) {
  const kind = symbol.flags & ts.SymbolFlags.Class ? 'class' : 'interface'
  const generic = symbol.declarations.find((node) => node.typeParameters?.length > 0)
  const parameters = generic?.typeParameters.map((node) => node.getText()).join(', ')
  return `${kind} ${symbol.name}${parameters === undefined ? '' : `<${parameters}>`}`
}

function textOf(node) {
  const printer = ts.createPrinter({ removeComments: true })
  return printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
}

/** The report as text. */
function apiReport(folder = root) {
  const doors = Object.entries(require(join(folder, 'package.json')).exports)
    .filter(([, door]) => typeof door === 'object')
    .map(([name, door]) => [name, resolve(folder, door.types)])
  const program = ts.createProgram(
    doors.map(([, file]) => file),
    {
      module: ts.ModuleKind.Node16,
      moduleResolution: ts.ModuleResolutionKind.Node16,
      strict: true,
      target: ts.ScriptTarget.ES2022,
      types: [],
    },
  )
  const checker = program.getTypeChecker()
  return doors
    .map(([name, file]) => {
      const door = checker.getSymbolAtLocation(program.getSourceFile(file))
      const exported = checker
        .getExportsOfModule(door)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      const entries = exported.map((symbol) => entryOf(symbol, checker))
      // A list that the formatter broke into lines ends with a comma, which is no difference.
      return `# ${name}\n\n${entries.join('\n\n')}\n`.replaceAll(', }', ' }')
    })
    .join('\n')
}

module.exports = { apiReport }

if (require.main === module) process.stdout.write(apiReport(resolve(process.argv[2] ?? root)))
