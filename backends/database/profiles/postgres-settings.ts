import type { SettingRule, Settings } from './settings'

const RULES: readonly SettingRule[] = [
  {
    stops: 'workers',
    wrong: (values) => {
      const encoding = values.get('client_encoding') ?? 'UTF8'
      return encoding === 'UTF8'
        ? undefined
        : `client_encoding is ${encoding}, but the driver sends and reads UTF-8: texts would become other characters.`
    },
    hint: 'Set client_encoding = UTF8, or leave it out of the DataSource.',
    clientHint: "Run `SET client_encoding = 'UTF8'` on it, or leave the option out.",
  },
  {
    stops: 'workers',
    wrong: (values) =>
      values.get('array_nulls') === 'off'
        ? "array_nulls is off: what is not there would be stored as the text 'NULL'."
        : undefined,
    hint: 'Set array_nulls = on for the server, the database or the role.',
  },
  {
    stops: 'nobody',
    wrong: (values) =>
      values.get('default_transaction_read_only') === 'on'
        ? 'default_transaction_read_only is on: nothing can be enqueued, claimed or finished.'
        : undefined,
    hint: 'Connect to the primary, or set it to off. Workers wait until that is so.',
  },
  {
    stops: 'nobody',
    wrong: (values) => {
      const style = values.get('DateStyle') ?? 'ISO'
      return style.startsWith('ISO')
        ? undefined
        : `DateStyle is "${style}": the driver reads times of that form as null, so a repository of DBTaskResult has none. Tasks and their results are not concerned.`
    },
    hint: 'Set DateStyle = ISO for the server, the database or the role.',
  },
]

export const postgresSettings: Settings = {
  question: `SELECT name AS "Variable_name", setting AS "Value" FROM pg_settings WHERE name IN ('array_nulls', 'client_encoding', 'DateStyle', 'default_transaction_read_only')`,
  rules: RULES,
}
