// Preloaded into a worker: its database is served by the dialect of those that have none of their own.
const { built } = require('../../support/built.cjs')
const { Portable } = require(built('#portable/dialect'))

require(built('#dialect-for')).dialectFor = (table) => new Portable(table)
