import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'

/** An image in which the app counts the stars. */
@Entity()
export class Extraction {
  @PrimaryGeneratedColumn()
  id!: number

  @Column({ unique: true })
  image!: string

  /** The id of the task's result. */
  @Column()
  taskId!: string

  /** The number of stars found; null until the task has finished. */
  @Column({ type: 'integer', nullable: true })
  sources!: number | null
}
