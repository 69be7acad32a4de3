import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

/** Whether to write colours: FORCE_COLOR and NO_COLOR decide, else only a terminal gets them. */
export function isColoured({ isTTY }: { readonly isTTY?: boolean }): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal } = process.env
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return !refused && isTTY === true && terminal !== 'dumb'
}

export function coloured(text: string, style: Style | undefined): string {
  if (style === undefined || text === '') return text
  // Without this option later versions of Node look at stdout themselves. Node 20 has no third parameter.
  const always = styleText as (style: Style, text: string, options: object) => string
  return always(style, text, { validateStream: false })
}
