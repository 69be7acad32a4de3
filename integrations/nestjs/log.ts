import { Logger } from '@nestjs/common'

/** Lines of this module, and in an app those of the whole library. */
export const log = new Logger('Tasks')
