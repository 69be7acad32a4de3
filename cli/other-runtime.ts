/** The name of the program that runs this command line, if it is not Node; undefined for Node. */
export function otherRuntime(): string | undefined {
  const { bun, deno } = process.versions
  return bun === undefined ? deno && `Deno ${deno}` : `Bun ${bun}`
}
