const { join } = require('node:path')
const { paths } = require('../tsconfig.json').compilerOptions

const dist = join(__dirname, '../../dist')

/** The built file of an inner module, by the alias that specs know it by; of another build if its folder is given. */
exports.built = function built(alias, folder = dist) {
  const [source] = paths[alias] ?? []
  if (source === undefined) throw new Error(`spec/tsconfig.json has no path "${alias}".`)
  return join(folder, source.replace('../', '').replace(/\.ts$/, '.js'))
}
