import { IsInt, IsOptional, Max, Min } from '../lib/settings/class-validator'

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
