/**
 * Replaces `import.meta`, which TypeScript leaves in CommonJS output, where it is a syntax error (swc replaces it itself).
 * Makes `import.meta.dirname` in a data source's globs work.
 */
export function importMetaTransformers(typescript: TypeScriptNodes): Transformers {
  return { before: [(context) => (file) => rewritten(typescript, context, file)] }
}

const PARTS = `({
  url: require('node:url').pathToFileURL(__filename).href, filename: __filename, dirname: __dirname,
  resolve: (name) => require('node:url').pathToFileURL(require.resolve(name)).href })`.replaceAll(
  '\n',
  '',
)

function rewritten(typescript: TypeScriptNodes, context: unknown, file: Node): Node {
  const visit = (node: Node): Node =>
    typescript.isMetaProperty(node) && node.keywordToken === typescript.SyntaxKind.ImportKeyword
      ? typescript.factory.createIdentifier(PARTS)
      : typescript.visitEachChild(node, visit, context)
  return visit(file)
}

interface Node {
  keywordToken?: number
}

/** The `transformers` of `transpileModule`. */
export interface Transformers {
  before: ((context: unknown) => (file: Node) => Node)[]
}

/** The part of TypeScript's JavaScript API that walks a file. */
export interface TypeScriptNodes {
  SyntaxKind: { ImportKeyword: number }
  factory: { createIdentifier(text: string): Node }
  isMetaProperty(node: Node): boolean
  visitEachChild(node: Node, visit: (node: Node) => Node, context: unknown): Node
}
