import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SAFE_HEADERS } from './security/guard'

/** The files of the page, which the build makes beside this one. */
const FOLDER = join(__dirname, 'page')

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}
/** The hash of a file is in its name: under one name there is one content. */
const FOR_EVER = 'public, max-age=31536000, immutable'

const NAME = /^app\.\w+\.(js|css|svg)$/

/** Whether a name is one that a file of the page has, or has had. */
export function isAssetName(name: string): boolean {
  return NAME.test(name)
}

/** A file of the page, or undefined. Their names are looked up, so that no path leads out of the folder. */
export function assetNamed(name: string): Response | undefined {
  const found = files().get(name)
  if (!found) return undefined
  const type = TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
  return new Response(found, {
    headers: { ...SAFE_HEADERS, 'Content-Type': type, 'Cache-Control': FOR_EVER },
  })
}

/** The page itself; where it is mounted it need not know, since all addresses in it are relative. */
export function pageOf(): Response {
  const names = [...files().keys()]
  const named = (end: string): string => names.find((name) => name.endsWith(end)) ?? ''
  return new Response(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tasks</title>
<link rel="icon" type="image/svg+xml" href="${named('.svg')}">
<link rel="stylesheet" href="${named('.css')}">
<script type="module" src="${named('.js')}"></script>
</head>
<body><noscript>This page needs JavaScript.</noscript></body>
</html>
`,
    { headers: { ...SAFE_HEADERS, 'Content-Type': 'text/html; charset=utf-8' } },
  )
}

let read: ReadonlyMap<string, Buffer> | undefined

function files(): ReadonlyMap<string, Buffer> {
  return (read ??= new Map(
    readdirSync(FOLDER)
      .filter((name) => NAME.test(name))
      .map((name) => [name, readFileSync(join(FOLDER, name))]),
  ))
}
