/** An app without tasks, as its owner has it before `tasks init`. */
export interface InitApp {
  readonly title: string
  readonly typeorm: '1' | '0.3'
  readonly database: 'sqlite' | 'postgres' | 'mariadb'
  readonly language: 'js' | 'ts'
  readonly modules: 'commonjs' | 'esm'
  /** It is one of Nest. */
  readonly isNest?: true
  /** The text of its data source, for the options of its connection. */
  readonly dataSource: (connection: string) => string
  /** What its owner adds by hand, because the form of the data source is not plain: each text is replaced by the other. */
  readonly byHand?: readonly (readonly [string, string])[]
}

const entity = (language: 'js' | 'ts', esm: boolean): string =>
  language === 'ts'
    ? `import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'\n\n@Entity()\nexport class Note {\n  @PrimaryGeneratedColumn()\n  id!: number\n\n  @Column()\n  text!: string\n}\n`
    : `${esm ? `import { EntitySchema } from 'typeorm'\n\nexport const` : `const { EntitySchema } = require('typeorm')\n\nexports.Note =`}${esm ? ' Note =' : ''} new EntitySchema({\n  name: 'Note',\n  columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } },\n})\n`

export const initApps: readonly InitApp[] = [
  {
    title: 'TypeScript, CommonJS, SQLite',
    typeorm: '1',
    database: 'sqlite',
    language: 'ts',
    modules: 'commonjs',
    dataSource: (connection) => `import 'reflect-metadata'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { Note } from './note'

export const AppDataSource = new DataSource({
  ...${connection},
  entities: [Note],
  migrations: [join(__dirname, 'migrations/*.{ts,js}')],
})
`,
  },
  {
    title: 'TypeScript, ES modules, PostgreSQL',
    typeorm: '1',
    database: 'postgres',
    language: 'ts',
    modules: 'esm',
    dataSource: (connection) => `import "reflect-metadata";
import { DataSource, type DataSourceOptions } from "typeorm";
import { Note } from "./note.js";

const options: DataSourceOptions = {
    ...${connection},
    entities: [
        Note,
    ],
    migrations: ["dist/migrations/*.js"],
};

export const dataSource: DataSource = new DataSource(options);
`,
  },
  {
    title: 'JavaScript, CommonJS, PostgreSQL',
    typeorm: '1',
    database: 'postgres',
    language: 'js',
    modules: 'commonjs',
    dataSource: (connection) => `const { DataSource } = require('typeorm')
const { Note } = require('./note')

const dataSource = new DataSource({ ...${connection}, entities: [Note], migrations: ['migrations/*.js'] })

module.exports = { dataSource }
`,
  },
  {
    title: 'JavaScript, ES modules, MariaDB',
    typeorm: '1',
    database: 'mariadb',
    language: 'js',
    modules: 'esm',
    dataSource: (connection) => `import { DataSource } from 'typeorm'
import { Note } from './note.js'

export const dataSource = new DataSource({
  ...${connection},
  entities: [Note],
  migrations: ['migrations/*.js'],
})
`,
  },
  {
    title: 'NestJS, PostgreSQL',
    typeorm: '1',
    database: 'postgres',
    language: 'ts',
    modules: 'commonjs',
    isNest: true,
    dataSource: (connection) => `import 'reflect-metadata';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { Note } from './note';

export default new DataSource({
  ...${connection},
  entities: [Note],
  migrations: [join(__dirname, 'migrations/*.{ts,js}')],
});
`,
  },
  {
    title: 'TypeScript, CommonJS, MariaDB, TypeORM 0.3',
    typeorm: '0.3',
    database: 'mariadb',
    language: 'ts',
    modules: 'commonjs',
    dataSource: (connection) => `import 'reflect-metadata'
import { DataSource } from 'typeorm'

export const AppDataSource = new DataSource({
	...${connection},
	entities: [__dirname + '/*note.{ts,js}'],
	migrations: [__dirname + '/migrations/*.{ts,js}'],
})
`,
  },
  {
    title: 'JavaScript, ES modules, SQLite, TypeORM 0.3',
    typeorm: '0.3',
    database: 'sqlite',
    language: 'js',
    modules: 'esm',
    dataSource: (connection) => `import { DataSource } from 'typeorm'
import { Note } from './note.js'

export const dataSource = new DataSource({ ...${connection}, entities: [Note], migrations: ['migrations/*.js'] })
`,
  },
  {
    title: 'TypeScript, CommonJS, SQLite, in a form that is not plain',
    typeorm: '1',
    database: 'sqlite',
    language: 'ts',
    modules: 'commonjs',
    dataSource: (connection) => `import 'reflect-metadata'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { Note } from './note'

const make = (entities: (new () => object)[]): DataSource =>
  new DataSource({ ...${connection}, entities, migrations: [join(__dirname, 'migrations/*.{ts,js}')] })

export const dataSource = make([Note])
`,
    byHand: [
      [
        '\nconst make',
        `import { configureTasks, taskEntities } from 'typeorm-tasks'\n\nconst make`,
      ],
      ['[Note])', '[Note, ...taskEntities])'],
      [
        '\n$',
        `\nexport const TASKS = configureTasks({\n  default: {\n    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',\n    OPTIONS: { dataSource },\n  },\n})\n`,
      ],
    ],
  },
]

/** The files of an app, by path. */
export function initFiles(app: InitApp, connection: object): Record<string, unknown> {
  const esm = app.modules === 'esm'
  const folder = app.language === 'ts' ? 'src/' : ''
  const options = `${JSON.stringify(connection)}${app.language === 'ts' ? ' as const' : ''}`
  return {
    'package.json': `${JSON.stringify(manifestOf(app), null, 2)}\n`,
    '.gitignore': 'node_modules\ndist\n*.sqlite*\n',
    ...(app.language === 'ts' ? { 'tsconfig.json': TSCONFIG } : {}),
    ...(app.isNest ? NEST : {}),
    [`${folder}note.${app.language}`]: entity(app.language, esm),
    [`${folder}data-source.${app.language}`]: app.dataSource(
      app.language === 'ts' ? `(${options})` : options,
    ),
  }
}

function manifestOf({ modules, isNest, language }: InitApp): object {
  return {
    name: 'shop',
    private: true,
    ...(modules === 'esm' ? { type: 'module' } : {}),
    ...(language === 'ts' ? { scripts: { build: 'tsc' } } : {}),
    ...(isNest ? { dependencies: { '@nestjs/core': '^11.0.0' } } : {}),
  }
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    rootDir: 'src',
    outDir: 'dist',
    skipLibCheck: true,
    types: ['node'],
  },
  include: ['src'],
}

const NEST = {
  'src/app.module.ts': `import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import dataSource from './data-source';

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: () => ({ ...dataSource.options, autoLoadEntities: true }),
    }),
  ],
  providers: [],
})
export class AppModule {}
`,
}
