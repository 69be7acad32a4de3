import type { MigrationInterface, QueryRunner } from 'typeorm'

export class Report1795219200000 implements MigrationInterface {
  name = 'Report1795219200000'

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE "report" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "name" varchar NOT NULL, "csv" text NOT NULL, "total" double precision, CONSTRAINT "UQ_report_name" UNIQUE ("name"))`,
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE "report"`)
  }
}
