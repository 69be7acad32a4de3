import { setTimeout as sleep } from 'node:timers/promises'
import { schedule, task } from 'typeorm-tasks'

/** What a slow site would answer, and after how many ms. */
const SITE = {
  '/': ['welcome to the site', 300],
  '/about': ['about us', 200],
  '/contact': ['write to us at any time', 100],
}

export const fetchPage = task('site.fetch', async (path) => {
  if (!(path in SITE)) throw new Error(`no page ${path}`)
  const [text, ms] = SITE[path]
  await sleep(ms)
  console.log(`  fetched ${path}`)
  return { path, words: text.split(' ').length }
})

export const index = task('site.index', (pages, language) => {
  console.log(
    `  index (${language}): ${pages.map(({ path, words }) => `${path} ${words}`).join(', ')}`,
  )
  return pages.reduce((sum, { words }) => sum + words, 0)
})

export const publish = task('site.publish', ({ path }) => console.log(`  published ${path}`))

export const notify = task('site.notify', (words) => console.log(`  ${words} words are indexed`))

export const alert = task('site.alert', ({ taskName, error }) =>
  console.log(`  ${taskName} failed: ${error.traceback.split('\n')[0]}`),
)

export const cleanUp = task('site.clean', (outcomes) =>
  console.log(`  cleaned up after: ${outcomes.map(({ status }) => status).join(', ')}`),
)

/** Many edits of a document in a short time are indexed once, with the last one. */
export const reindex = task(
  'site.reindex',
  (document, edit) => console.log(`  document ${document} as of edit ${edit}`),
  {
    debounce: { key: (document) => `reindex-${document}`, wait: 500, atMost: 5_000 },
  },
)

/** Not more often than once a minute. */
export const sync = task('crm.sync', (account) => console.log(`  synchronised ${account}`), {
  throttle: { key: (account) => `sync-${account}`, every: 60_000 },
})

/** Once at a time. Its results are of no use after an hour. */
export const welcome = task('mail.welcome', (user) => console.log(`  mail to user ${user}`), {
  uniqueKey: (user) => `welcome-${user}`,
  keepResults: 3_600_000,
})

export const beat = task(
  'site.beat',
  ({ slot }) =>
    console.log(`  slot at an even second: ${slot.at.getTime() % 2_000 === 0}, late: ${slot.late}`),
  { takesContext: true },
)

/** Each worker that has loaded this file fires it; each slot runs once all the same. */
export const beats = schedule('site.beats', beat, { every: 2_000 })
