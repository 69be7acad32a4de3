import { didYouMean, InvalidSettingsError, shown } from '../../index'

/** @throws InvalidSettingsError for an option that there is not, or that is not among its values. */
export function assertOptions(
  what: string,
  options: unknown,
  values: Readonly<Record<string, readonly unknown[]>>,
): void {
  const names = Object.keys(values)
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new InvalidSettingsError(
      `${what}: expected an object of options, got ${shown(options)}.`,
      `The options are ${names.join(', ')}.`,
    )
  for (const [name, value] of Object.entries(options)) {
    const allowed = Object.hasOwn(values, name) ? values[name] : undefined
    if (!allowed)
      throw new InvalidSettingsError(
        `${what}: unknown option ${shown(name)}.`,
        didYouMean(name, names) ?? `The options are ${names.join(', ')}.`,
      )
    if (value !== undefined && !allowed.includes(value))
      throw new InvalidSettingsError(
        `${what}, ${name}: expected ${allowed.map((each) => shown(each)).join(' or ')}, got ${shown(value)}.`,
        'Give one of these values, or leave it out.',
      )
  }
}
