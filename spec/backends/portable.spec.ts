import { Portable } from '../../backends/database/dialects/portable'

// Here every database is served as one that has no dialect of its own; the specs of the others must hold all the same.
jest.mock('../../backends/database/dialect', () => ({ dialectFor: (table: ConstructorParameters<typeof Portable>[0]) => new Portable(table) }))

/** Two things take SQL of its own: to pass over rows that are locked, and to find an id that the entity would spell otherwise. */
const beyondIt = /that another session has locked|with an id in capitals or with dashes/

const always = globalThis.it
const unlessBeyond: typeof always = Object.assign((...[name, ...rest]: Parameters<typeof always>) => (beyondIt.test(String(name)) ? always.skip : always)(name, ...rest), always)

globalThis.it = unlessBeyond
require('./end-to-end.spec')
require('./store.spec')
globalThis.it = always
