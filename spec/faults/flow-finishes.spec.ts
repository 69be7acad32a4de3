import { describeLastTwo } from '../support/last-two'
import { setting } from './kit/setting'

describeLastTwo(setting('FINISHES', 1_000))
