import { check, settingsSubject } from '../lib/errors/option-checks'
import { KEEP_RESULTS, type KeepResults } from '../lib/retention'
import { IsInt, IsOptional, Max, Min } from '../lib/settings/class-validator'
import { Is } from '../lib/settings/validation'

const SECONDS = 'a whole number of seconds from 1 to 86400'
const CRASHES = 'a whole number from 1 to 1000'

/** What every backend with workers understands in `OPTIONS`. */
export class LeaseOptions {
  /** Seconds a claimed row is held without renewal. Default 30. */
  @IsOptional()
  @IsInt({ message: SECONDS })
  @Min(1, { message: SECONDS })
  @Max(86_400, { message: SECONDS })
  leaseSeconds?: number | undefined

  /** The number of lost workers after which a task is given up. Default 3. */
  @IsOptional()
  @IsInt({ message: CRASHES })
  @Min(1, { message: CRASHES })
  @Max(1000, { message: CRASHES })
  maxCrashes?: number | undefined
}

/** What backends understand, too, that keep all results unless told otherwise. */
export class KeepingOptions extends LeaseOptions {
  /**
   * Milliseconds since it finished that a result is kept, or `{ successful, failed }`; then a worker deletes it. Tasks with
   * `keepResults` have their own. Default: workers delete no results.
   */
  @IsOptional()
  @Is(KEEP_RESULTS.expected, KEEP_RESULTS.isSound)
  retention?: KeepResults | null | undefined
}

/** @throws InvalidSettingsError for a part of it that is out of range. */
export function retentionOf(
  { retention = null }: Pick<KeepingOptions, 'retention'>,
  path: string,
): KeepResults | null {
  if (retention !== null) check(settingsSubject(`${path}.retention`), '', retention, KEEP_RESULTS)
  return retention
}
