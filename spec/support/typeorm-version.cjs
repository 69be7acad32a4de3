// Preloaded with `node --require`: under TYPEORM=0.3 this process gets TypeORM 0.3 wherever it asks for `typeorm`,
// by require or by import.
const Module = require('node:module')
const { pathToFileURL } = require('node:url')

if (process.env.TYPEORM === '0.3') {
  mapRequire()
  mapImport()
}

function mapRequire() {
  const resolve = Module._resolveFilename
  const here = Module.createRequire(__filename)
  Module._resolveFilename = function (request, ...rest) {
    const old = oldName(request)
    return old === undefined ? resolve.call(this, request, ...rest) : here.resolve(old)
  }
}

function mapImport() {
  const base = JSON.stringify(pathToFileURL(__filename).href)
  const hook = `export const resolve = (name, context, next) =>
    /^typeorm(\\/|$)/.test(name) ? next(name.replace('typeorm', 'typeorm-0.3'), { ...context, parentURL: ${base} }) : next(name, context)`
  Module.register(`data:text/javascript,${encodeURIComponent(hook)}`)
}

function oldName(request) {
  return /^typeorm(\/|$)/.test(request) ? request.replace('typeorm', 'typeorm-0.3') : undefined
}
