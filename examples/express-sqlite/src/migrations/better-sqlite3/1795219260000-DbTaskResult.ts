import type { MigrationInterface, QueryRunner } from 'typeorm'

export class DbTaskResult1795219260000 implements MigrationInterface {
  name = 'DbTaskResult1795219260000'

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE "db_task_result" ("id" varchar(32) PRIMARY KEY NOT NULL, "status" varchar(10) NOT NULL, "enqueued_at" text NOT NULL, "started_at" text, "finished_at" text, "args_kwargs" text NOT NULL, "priority" integer NOT NULL, "task_path" text NOT NULL, "worker_ids" text NOT NULL, "queue_name" varchar(32) NOT NULL, "backend_name" varchar(32) NOT NULL, "run_after" text NOT NULL, "return_value" text, "exception_class_path" text NOT NULL, "traceback" text NOT NULL, "claims" integer NOT NULL DEFAULT (0), "lease_until" text, "cancel_requested_at" text, "unique_key" varchar(128), "attempt_errors" text, "progress" text, "options" text, CONSTRAINT "db_task_result_priority_check" CHECK ("priority" BETWEEN -100 AND 100))`,
    )
    await queryRunner.query(
      `CREATE INDEX "db_task_result_ready_idx" ON "db_task_result" ("status", "priority", "run_after", "enqueued_at") WHERE "status" = 'READY'`,
    )
    await queryRunner.query(
      `CREATE UNIQUE INDEX "db_task_result_unique_key_idx" ON "db_task_result" ("unique_key") WHERE "unique_key" IS NOT NULL`,
    )
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX "db_task_result_unique_key_idx"`)
    await queryRunner.query(`DROP INDEX "db_task_result_ready_idx"`)
    await queryRunner.query(`DROP TABLE "db_task_result"`)
  }
}
