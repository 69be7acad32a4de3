import type { MigrationInterface, QueryRunner } from 'typeorm'

export class Extraction1795219200000 implements MigrationInterface {
  name = 'Extraction1795219200000'

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE "extraction" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "image" varchar NOT NULL, "taskId" varchar NOT NULL, "sources" integer, CONSTRAINT "UQ_extraction_image" UNIQUE ("image"))`,
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE "extraction"`)
  }
}
