import type { MigrationInterface, QueryRunner } from 'typeorm'

export class DbTaskResult1795219260000 implements MigrationInterface {
  name = 'DbTaskResult1795219260000'

  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE "db_task_result" ("id" uuid NOT NULL, "status" character varying(10) NOT NULL, "enqueued_at" TIMESTAMP(6) WITH TIME ZONE NOT NULL, "started_at" TIMESTAMP(6) WITH TIME ZONE, "finished_at" TIMESTAMP(6) WITH TIME ZONE, "args_kwargs" jsonb NOT NULL, "priority" integer NOT NULL, "task_path" text NOT NULL, "worker_ids" jsonb NOT NULL, "queue_name" character varying(32) NOT NULL, "backend_name" character varying(32) NOT NULL, "run_after" TIMESTAMP(6) WITH TIME ZONE NOT NULL, "return_value" jsonb, "exception_class_path" text NOT NULL, "traceback" text NOT NULL, "claims" integer NOT NULL DEFAULT '0', "lease_until" TIMESTAMP(6) WITH TIME ZONE, "cancel_requested_at" TIMESTAMP(6) WITH TIME ZONE, "unique_key" character varying(128), "attempt_errors" jsonb, "progress" jsonb, "options" jsonb, CONSTRAINT "db_task_result_priority_check" CHECK ("priority" BETWEEN -100 AND 100), CONSTRAINT "PK_bb58064cd0b1ed478041c263de2" PRIMARY KEY ("id"))`,
    )
    await queryRunner.query(
      `CREATE INDEX "db_task_result_ready_idx" ON "db_task_result"  ("status", "priority", "run_after", "enqueued_at") WHERE "status" = 'READY'`,
    )
    await queryRunner.query(
      `CREATE UNIQUE INDEX "db_task_result_unique_key_idx" ON "db_task_result"  ("unique_key") WHERE "unique_key" IS NOT NULL`,
    )
  }

  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX "public"."db_task_result_unique_key_idx"`)
    await queryRunner.query(`DROP INDEX "public"."db_task_result_ready_idx"`)
    await queryRunner.query(`DROP TABLE "db_task_result"`)
  }
}
