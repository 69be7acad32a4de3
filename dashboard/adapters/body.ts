import { UsageError } from '../../index'

/** The most bytes of a body. */
const MOST_BYTES = 64 * 1024

/** The text of a body. @throws UsageError if it is too long. */
export async function textWithin(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const read: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of chunks) {
      size += chunk.length
      if (size > MOST_BYTES) break
      read.push(chunk)
    }
  } catch (error) {
    throw new UsageError('The body ended before it was complete.', 'Send it again.', {
      cause: error,
    })
  }
  if (size > MOST_BYTES)
    throw new UsageError(`The body has more than ${MOST_BYTES} bytes.`, 'Name fewer tasks at once.')
  return Buffer.concat(read).toString()
}

/** @throws UsageError if the text is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new UsageError(
      'The body is no JSON.',
      'Send { "ids": […] }, or {} if there is nothing to say.',
    )
  }
}
