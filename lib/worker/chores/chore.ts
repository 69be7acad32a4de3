export type { Chore } from '../../store'
