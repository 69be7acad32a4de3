// Every spec runs on both TypeORM versions, save those that never meet TypeORM: `once` names them.
// DB=sqlite,postgres,mariadb chooses databases; TYPEORM=1 or 0.3 chooses the TypeORM.
const once = ['faults', 'process', 'types', 'unit']

const common = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: {
            legacyDecorator: true,
            decoratorMetadata: true,
            useDefineForClassFields: false,
          },
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  // Faults take minutes: `npm run faults`, and always under CI.
  testPathIgnorePatterns: [
    '/node_modules/',
    '<rootDir>/dist/',
    '<rootDir>/spec/fixtures/',
    ...(process.env.FAULTS || process.env.CI ? [] : ['<rootDir>/spec/faults/.*\\.spec\\.ts$']),
  ],
  globalSetup: '<rootDir>/spec/support/global-setup.ts',
  globalTeardown: '<rootDir>/spec/support/global-teardown.ts',
}

// Specs import inner modules by aliases, which spec/tsconfig.json holds: a file that moves is renamed there alone.
const { paths } = require('./spec/tsconfig.json').compilerOptions
const innerModules = Object.fromEntries(
  Object.entries(paths).map(([alias, [path]]) => [`^${alias}$`, path.replace('..', '<rootDir>')]),
)

const ourDoors = {
  ...innerModules,
  '^typeorm-tasks$': '<rootDir>/index.ts',
  '^typeorm-tasks/entities$': '<rootDir>/entities/index.ts',
  '^typeorm-tasks/backends/database$': '<rootDir>/backends/database/index.ts',
  '^typeorm-tasks/backends/(immediate|dummy)$': '<rootDir>/backends/$1.ts',
}

const projects = [
  {
    ...common,
    displayName: 'typeorm-1',
    testMatch: ['<rootDir>/spec/**/*.spec.ts'],
    moduleNameMapper: ourDoors,
  },
  {
    ...common,
    displayName: 'typeorm-0.3',
    testMatch: ['<rootDir>/spec/**/*.spec.ts'],
    testPathIgnorePatterns: [
      ...common.testPathIgnorePatterns,
      `<rootDir>/spec/(${once.join('|')})(\\.spec\\.ts$|/)`,
    ],
    moduleNameMapper: {
      ...ourDoors,
      '^typeorm$': 'typeorm-0.3',
      '^typeorm/(.*)$': 'typeorm-0.3/$1',
    },
  },
]

const chosen = projects.filter(({ displayName }) =>
  [undefined, '', displayName.slice('typeorm-'.length)].includes(process.env.TYPEORM),
)
if (chosen.length === 0)
  throw new Error(`TYPEORM is "${process.env.TYPEORM}"; it may be 1 or 0.3, or absent for both.`)

module.exports = {
  projects: chosen,
  maxWorkers: 2,
  testTimeout: 30_000,
  reporters: ['default', '<rootDir>/spec/support/reporter.cjs'],
}
