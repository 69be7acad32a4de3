/** Values of a session's settings by their names. */
export type SettingValues = ReadonlyMap<string, string>

/** The settings of a server's session that decide whether tasks can work, or what their values become. */
export interface Settings {
  /** Gives one row for each setting: `Variable_name` and `Value`. A setting that the server does not have gives none. */
  readonly question: string
  readonly rules: readonly SettingRule[]
}

export interface SettingRule {
  /** Who cannot work with it: not even an enqueue, or workers alone. `nobody`: only `check` reports it. */
  readonly stops: 'all' | 'workers' | 'nobody'
  /** What is wrong, or undefined. */
  wrong(values: SettingValues): string | undefined
  readonly hint: string
  /** The hint for a client in a transaction of other code. Absent: there the setting is no concern of tasks. */
  readonly clientHint?: string
}

/** What is wrong with a setting. */
export interface WrongSetting {
  readonly stops: SettingRule['stops']
  readonly message: string
  readonly hint: string
}

/** Reads the settings of the session that `asked` asks. */
export async function settingsOf(
  asked: { query(sql: string): Promise<unknown> },
  { question }: Settings,
): Promise<SettingValues> {
  const rows = (await asked.query(question)) as Record<string, unknown>[]
  return new Map(rows.map((row) => [String(row['Variable_name']), String(row['Value'])]))
}

/** The first that keeps an enqueue by such a client from working, as a sentence about it and a hint. */
export function wrongOnClient(
  values: SettingValues,
  rules: readonly SettingRule[],
): readonly [message: string, hint: string] | undefined {
  for (const { wrong, clientHint } of rules) {
    const message = clientHint === undefined ? undefined : wrong(values)
    if (message !== undefined && clientHint !== undefined) return [message, clientHint]
  }
  return undefined
}

/** In the order of the rules. */
export function wrongSettings(values: SettingValues, { rules }: Settings): WrongSetting[] {
  return rules.flatMap((rule) => {
    const message = rule.wrong(values)
    return message === undefined ? [] : [{ stops: rule.stops, message, hint: rule.hint }]
  })
}
