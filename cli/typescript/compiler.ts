import { createRequire } from 'node:module'
import { getTsconfig, type TsConfigResult } from 'get-tsconfig'
import { dirname } from 'node:path'
import { LoadError } from '../../lib/errors/errors'
import { importMetaTransformers, type Transformers, type TypeScriptNodes } from './import-meta'

/** Compiles the source text of one TypeScript file to CommonJS. */
export type Compile = (source: string, file: string) => string

/**
 * The app's compiler: TypeScript below 7 (7 has no JavaScript API), else `@swc/core`. Whatever tsconfig.json says, it
 * emits decorators and their metadata and makes no class field of `id!: string`, because entities do not work otherwise.
 * Undefined if the app has no compiler and Node (22.18 and later) itself removes types.
 *
 * @throws LoadError if it has none and Node does not
 */
export function compilerOf(appFile: string): Compile | undefined {
  const typescript = packageOf<TypeScript>(appFile, 'typescript')
  if (typescript?.transpileModule) return withTypeScript(typescript)
  const swc = packageOf<Swc>(appFile, '@swc/core')
  if (swc) return withSwc(swc)
  if ((process.features as { typescript?: unknown }).typescript) return undefined
  throw new LoadError(
    `${appFile} is TypeScript, but ${typescript ? `TypeScript ${typescript.version} has no API for programs` : 'the app has no compiler for it'}.`,
    'Run: npm install --save-dev @swc/core (or pass a compiled .js file with --data-source).',
  )
}

const configs = new Map<string, TsConfigResult | null>()

/** The nearest tsconfig.json above a file, cached by folder. */
export function tsconfigOf(file: string): TsConfigResult | null {
  const folder = dirname(file)
  const known = configs.get(folder)
  if (known !== undefined) return known
  const config = readTsconfig(folder)
  configs.set(folder, config)
  return config
}

function readTsconfig(folder: string): TsConfigResult | null {
  try {
    return getTsconfig(folder)
  } catch (cause) {
    throw new LoadError(
      `The tsconfig.json above ${folder} cannot be read: ${String(cause)}.`,
      'Check it with: npx tsc --showConfig',
      { cause },
    )
  }
}

function withTypeScript(typescript: TypeScript): Compile {
  return (source, file) => {
    const { outputText, diagnostics = [] } = typescript.transpileModule?.(source, {
      fileName: file.replace(/\.mts$/, '.cts'), // TypeScript emits ES modules for .mts, whatever `module` says
      reportDiagnostics: true,
      transformers: importMetaTransformers(typescript),
      compilerOptions: {
        module: 1, // CommonJS
        target: 9, // ES2022
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        useDefineForClassFields: false,
        esModuleInterop: wantsInterop(file, Number.parseInt(typescript.version, 10)),
        inlineSourceMap: true,
      },
    }) ?? { outputText: '' }
    const fault = diagnostics.find((diagnostic) => diagnostic.file) // a diagnostic without a file is about options, not the source
    if (fault?.file)
      throw notCompiled(
        file,
        place(fault.file, fault.start ?? 0) +
          typescript.flattenDiagnosticMessageText(fault.messageText, ' '),
      )
    return outputText
  }
}

/** What follows in swc's message is about its own native code. */
const SWC_OWN = /\n\s*(?:Caused by|Stack backtrace):/

function withSwc(swc: Swc): Compile {
  return (source, file) => {
    try {
      return lenientGetters(swc.transformSync(source, swcOptions(file)).code)
    } catch (cause) {
      const [told = ''] = String(cause instanceof Error ? cause.message : cause).split(SWC_OWN)
      throw notCompiled(file, told)
    }
  }
}

function swcOptions(file: string): object {
  return {
    filename: file,
    swcrc: false,
    configFile: false,
    sourceMaps: 'inline',
    module: { type: 'commonjs', noInterop: !wantsInterop(file, 7) },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    },
  }
}

/**
 * For entities that import each other. While such a circle loads, swc's export getters throw "Cannot access 'User' before
 * initialization" where the emitted metadata tests for undefined. Here they return undefined, as TypeScript's exports do.
 */
function lenientGetters(code: string): string {
  const lenient = (text: string): string =>
    text.replace(/return ([\w$]+);(?=\s*\})/g, 'try { return $1; } catch { return undefined; }')
  return code
    .replace(/^_export\(exports, \{\n[\s\S]*?^\}\);$/m, lenient)
    .replace(/^Object\.defineProperty\(exports, "[^\n]+", \{\n[\s\S]*?^\}\);$/gm, lenient)
}

/** Whether imports of CommonJS packages use esModuleInterop: tsconfig's value, else TypeScript's default. */
function wantsInterop(file: string, typescriptMajor: number): boolean {
  const { module = '', esModuleInterop } = tsconfigOf(file)?.config.compilerOptions ?? {}
  if (/^(es|preserve)/i.test(module)) return true
  return esModuleInterop ?? (typescriptMajor >= 6 || /^node/i.test(module))
}

function notCompiled(file: string, reason: string): LoadError {
  return new LoadError(
    `${file} cannot be compiled: ${reason.trim()}`,
    'Check it with: npx tsc --noEmit',
  )
}

function place(file: SourceFile, start: number): string {
  const { line, character } = file.getLineAndCharacterOfPosition(start)
  return `line ${line + 1}, column ${character + 1}: `
}

function packageOf<T>(appFile: string, name: string): T | undefined {
  const load = createRequire(appFile)
  try {
    load.resolve(name)
  } catch {
    return undefined
  }
  try {
    return load(name) as T
  } catch (cause) {
    throw new LoadError(
      `The package ${name} is installed but does not load: ${String(cause)}.`,
      `Install it again: npm install --save-dev ${name}`,
      { cause },
    )
  }
}

interface SourceFile {
  getLineAndCharacterOfPosition(start: number): { line: number; character: number }
}

interface Diagnostic {
  file?: SourceFile
  start?: number
  messageText: unknown
}

interface TypeScript extends TypeScriptNodes {
  version: string
  flattenDiagnosticMessageText(text: unknown, newLine: string): string
  transpileModule?(
    source: string,
    options: {
      fileName: string
      reportDiagnostics: boolean
      transformers: Transformers
      compilerOptions: object
    },
  ): { outputText: string; diagnostics?: Diagnostic[] }
}

interface Swc {
  transformSync(source: string, options: object): { code: string }
}
