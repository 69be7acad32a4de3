import { describeLastTwo } from '../support/last-two'

// More of them are in faults/flow-finishes.
describeLastTwo(200)
