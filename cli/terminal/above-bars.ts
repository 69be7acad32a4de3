import { StringDecoder } from 'node:string_decoder'

type Write = NodeJS.WriteStream['write']

/**
 * Passes the lines that are written to a stream to `show` instead, without their line breaks. The function that it returns
 * ends that, and writes the line that was not complete.
 */
export function takeLines(
  stream: NodeJS.WriteStream,
  show: (lines: readonly string[]) => void,
): () => void {
  const original = stream.write
  const decoder = new StringDecoder('utf8')
  let rest = ''
  const take = (chunk: string | Uint8Array, ...given: unknown[]): boolean => {
    rest += typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk))
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) show(lines)
    const done = given.at(-1)
    if (typeof done === 'function') process.nextTick(done as () => void)
    return true
  }
  stream.write = take as Write
  return () => {
    stream.write = original
    if (rest !== '') stream.write(rest)
  }
}
