import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'

/** A table of sales, of which the app computes the total. */
@Entity()
export class Report {
  @PrimaryGeneratedColumn()
  id!: number

  @Column({ type: 'varchar', unique: true })
  name!: string

  /** Lines of CSV; the last column is an amount. */
  @Column({ type: 'text' })
  csv!: string

  /** The sum of the amounts; null until the task has finished. */
  @Column({ type: 'double precision', nullable: true })
  total!: number | null
}
