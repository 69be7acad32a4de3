// One jest project for each tier, which is a folder of spec/. `npm test` and its kin choose them: scripts/test.mjs.
// DB=sqlite,postgres,mariadb,mysql chooses databases; TYPEORM=1 or 0.3 chooses the TypeORM.

// Specs import inner modules by aliases, which spec/tsconfig.json holds: a file that moves is renamed there alone.
const { paths } = require('./spec/tsconfig.json').compilerOptions
const innerModules = Object.fromEntries(
  Object.entries(paths).map(([alias, [path]]) => [`^${alias}$`, path.replace('..', '<rootDir>')]),
)

const ourDoors = {
  ...innerModules,
  '^typeorm-tasks$': '<rootDir>/index.ts',
  '^typeorm-tasks/testing$': '<rootDir>/testing/index.ts',
  '^typeorm-tasks/entities$': '<rootDir>/entities/index.ts',
  '^typeorm-tasks/backends/database$': '<rootDir>/backends/database/index.ts',
  '^typeorm-tasks/backends/bullmq$': '<rootDir>/backends/bullmq/index.ts',
  '^typeorm-tasks/backends/sharded$': '<rootDir>/backends/sharded/index.ts',
  '^typeorm-tasks/nestjs$': '<rootDir>/integrations/nestjs/index.ts',
  '^typeorm-tasks/(opentelemetry|prometheus)$': '<rootDir>/integrations/$1/index.ts',
  '^typeorm-tasks/backends/(immediate|dummy)$': '<rootDir>/backends/$1.ts',
}

const oldTypeorm = { '^typeorm$': 'typeorm-0.3', '^typeorm/(.*)$': 'typeorm-0.3/$1' }

const swc = {
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
}

/**
 * Specs about what statements of our own do to rows, for which TypeORM only lends a connection, and about what never meets a
 * database: once is enough. They take a third of the time of all.
 */
const WITH_ANY_TYPEORM = [
  'dashboard-events',
  'dashboard-mounts',
  'fairness',
  'flow-finishes',
  'flow-interrupted',
  'flow-ranges',
  'histories',
  'innocents',
  'innocents-store',
  'rescue-gate',
  'statements',
]

function project(tier, typeorm) {
  return {
    rootDir: __dirname,
    displayName: typeorm === '1' ? tier : `${tier}-${typeorm}`,
    testEnvironment: 'node',
    testMatch: [`<rootDir>/spec/${tier}/**/*.spec.ts`],
    testPathIgnorePatterns:
      typeorm === '1' ? [] : [`/spec/database/(${WITH_ANY_TYPEORM.join('|')})\\.spec\\.ts$`],
    transform: { '^.+\\.ts$': ['@swc/jest', swc] },
    moduleNameMapper: typeorm === '1' ? ourDoors : { ...ourDoors, ...oldTypeorm },
    // Kept between runs, whose temporary files are not.
    cacheDirectory: '<rootDir>/node_modules/.cache/jest',
    ...(tier === 'redis' ? hooks('redis') : hooks('global')),
  }
}

/** What runs before and after all specs; the project on Redis starts one for all of its specs. */
function hooks(name) {
  return {
    globalSetup: `<rootDir>/spec/support/${name}-setup.ts`,
    globalTeardown: `<rootDir>/spec/support/${name}-teardown.ts`,
  }
}

// The specs of the other tiers never meet TypeORM, or choose it themselves.
const tiers = {
  1: ['unit', 'contract', 'database', 'process', 'browser', 'faults', 'django', 'redis', 'package'],
  0.3: ['contract', 'database'],
}
const versions = process.env.TYPEORM ? [process.env.TYPEORM] : Object.keys(tiers)
if (!versions.every((version) => version in tiers))
  throw new Error(`TYPEORM is "${process.env.TYPEORM}"; it may be 1 or 0.3, or absent for both.`)

module.exports = {
  projects: versions.flatMap((version) => tiers[version].map((tier) => project(tier, version))),
  maxWorkers: '100%',
  testSequencer: '<rootDir>/spec/support/longest-first.cjs',
  // Far more than any spec takes: it is met by what hangs, not by a machine that is slow.
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/spec/support/reporter.cjs'],
}
