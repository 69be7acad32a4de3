import { familyOf } from '../../../../entities/database-family'
import { mysql } from './mysql'
import { postgres } from './postgres'
import { sqlite } from './sqlite'
import type { BrowseWords } from './words'

const WORDS: Readonly<Record<string, BrowseWords | undefined>> = { mysql, postgres, sqlite }

/** The words for a DataSource `type`; undefined where its SQL is not known here. */
export function browseWordsFor(type: string): BrowseWords | undefined {
  return WORDS[familyOf(type)]
}
