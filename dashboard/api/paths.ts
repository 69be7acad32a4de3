import { UsageError } from '../../index'
import { brief } from './query'

/** The parts of a path of the API. @throws UsageError for one that is no text in the encoding of addresses. */
export function partsOf(path: string): string[] {
  try {
    return path.split('/').map(decodeURIComponent)
  } catch {
    throw new UsageError(`${brief(path)} is no path.`, 'Encode what is in it, such as %2F.')
  }
}
