import { dirname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Place } from '../registry'

/** All of `lib`, whose frames are skipped. A bundle of ES modules has no `__dirname`. */
const LIBRARY = typeof __dirname === 'string' ? dirname(__dirname) + sep : undefined

/** The first place on the stack outside the library: where the caller of the library stands. */
export function callerPlace(): Place {
  const frames = (new Error('place').stack ?? '').split('\n').slice(1)
  for (const frame of frames) {
    const place = placeOf(frame)
    if (place && !(LIBRARY && place.file.startsWith(LIBRARY))) return place
  }
  return { file: 'unknown file', line: '0' }
}

function placeOf(frame: string): Place | undefined {
  const [, where, line] =
    /\(?((?:file:\/\/)?[^()\s][^()]*?):(\d+):\d+\)?$/.exec(
      frame.replace(/^\s*at (?:async )?/, ''),
    ) ?? []
  if (!where || !line || where.startsWith('node:')) return undefined
  const path = where.includes(' (') ? where.slice(where.indexOf(' (') + 2) : where
  return { file: path.startsWith('file://') ? fileURLToPath(path) : path, line }
}
