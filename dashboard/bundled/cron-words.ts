import cronstrue from 'cronstrue'

/** What a cron expression says, in English; where that cannot be told, the expression itself. Of at most 200 characters. */
export function wordsOfCron(expression: string): string {
  try {
    return cronstrue.toString(expression, { use24HourTimeFormat: true, verbose: false })
  } catch {
    return expression
  }
}
