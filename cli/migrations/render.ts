import type { Plan } from './names'

export interface Rendering extends Plan {
  /** Used in the names of the file and the class. */
  readonly name: string
  /** Milliseconds since 1970; TypeORM runs migrations in this order. */
  readonly timestamp: number
  readonly ending: Ending
  readonly modules: 'commonjs' | 'esm'
}

/** Of the file's name. */
export type Ending = 'ts' | 'js' | 'mjs' | 'cjs'

/** Renders a migration like TypeORM's own generator. */
export function renderMigration(rendering: Rendering): { fileName: string; text: string } {
  const className = `${pascal(rendering.name)}${rendering.timestamp}`
  const text =
    rendering.ending === 'ts' ? typescript(className, rendering) : javascript(className, rendering)
  return { fileName: `${rendering.timestamp}-${rendering.name}.${rendering.ending}`, text }
}

function typescript(className: string, { up, down }: Rendering): string {
  return `import type { MigrationInterface, QueryRunner } from "typeorm";

export class ${className} implements MigrationInterface {
    name = '${className}'

    public async up(queryRunner: QueryRunner): Promise<void> {
${queries(up)}
    }

    public async down(queryRunner: QueryRunner): Promise<void> {
${queries(down)}
    }

}
`
}

function javascript(className: string, { up, down, modules }: Rendering): string {
  return `/**
 * @typedef {import('typeorm').MigrationInterface} MigrationInterface
 * @typedef {import('typeorm').QueryRunner} QueryRunner
 */

/**
 * @class
 * @implements {MigrationInterface}
 */
${modules === 'esm' ? 'export' : 'module.exports ='} class ${className} {
    name = '${className}'

    /**
     * @param {QueryRunner} queryRunner
     */
    async up(queryRunner) {
${queries(up)}
    }

    /**
     * @param {QueryRunner} queryRunner
     */
    async down(queryRunner) {
${queries(down)}
    }
}
`
}

function queries(statements: readonly string[]): string {
  return statements
    .map((statement) => `        await queryRunner.query(\`${escaped(statement)}\`);`)
    .join('\n')
}

/** Escapes text for a template literal. */
function escaped(statement: string): string {
  return statement.replaceAll('\\', '\\\\').replaceAll('`', '\\`').replaceAll('${', '\\${')
}

function pascal(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
}
