/** Django's table as its own migrations leave it, for each database. */
export const DJANGO_TABLE = 'django_tasks_database_dbtaskresult'

const json = 'longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'

export const djangoDdl = {
  sqlite: [
    `CREATE TABLE "${DJANGO_TABLE}" ("id" char(32) NOT NULL PRIMARY KEY, "args_kwargs" text NOT NULL CHECK ((JSON_VALID("args_kwargs") OR "args_kwargs" IS NULL)), "priority" integer NOT NULL, "task_path" text NOT NULL, "queue_name" varchar(32) NOT NULL, "backend_name" varchar(32) NOT NULL, "run_after" datetime NOT NULL, "enqueued_at" datetime NOT NULL, "finished_at" datetime NULL, "started_at" datetime NULL, "return_value" text NULL CHECK ((JSON_VALID("return_value") OR "return_value" IS NULL)), "exception_class_path" text NOT NULL, "traceback" text NOT NULL, "worker_ids" text NOT NULL CHECK ((JSON_VALID("worker_ids") OR "worker_ids" IS NULL)), "status" varchar(10) NOT NULL, CONSTRAINT "priority_range" CHECK ("priority" BETWEEN -100 AND 100))`,
    `CREATE INDEX "django_task_queue_n_99c321_idx" ON "${DJANGO_TABLE}" ("queue_name")`,
    `CREATE INDEX "django_task_backend_071754_idx" ON "${DJANGO_TABLE}" ("backend_name")`,
    `CREATE INDEX "tasks_db_new_ordering_idx" ON "${DJANGO_TABLE}" ("status", "priority" DESC, "run_after" ASC, "enqueued_at" ASC) WHERE "status" = 'READY'`,
  ],
  postgres: [
    `CREATE TABLE "${DJANGO_TABLE}" ("id" uuid NOT NULL PRIMARY KEY, "status" varchar(10) NOT NULL, "args_kwargs" jsonb NOT NULL, "priority" integer NOT NULL, "task_path" text NOT NULL, "queue_name" varchar(32) NOT NULL, "backend_name" varchar(32) NOT NULL, "run_after" timestamp with time zone NOT NULL, "enqueued_at" timestamp with time zone NOT NULL, "finished_at" timestamp with time zone NULL, "started_at" timestamp with time zone NULL, "return_value" jsonb NULL, "exception_class_path" text NOT NULL, "traceback" text NOT NULL, "worker_ids" jsonb NOT NULL, CONSTRAINT "priority_range" CHECK ("priority" BETWEEN -100 AND 100))`,
    `CREATE INDEX "django_task_queue_n_99c321_idx" ON "${DJANGO_TABLE}" ("queue_name")`,
    `CREATE INDEX "django_task_backend_071754_idx" ON "${DJANGO_TABLE}" ("backend_name")`,
    `CREATE INDEX "tasks_db_new_ordering_idx" ON "${DJANGO_TABLE}" ("status", "priority" DESC, "run_after", "enqueued_at") WHERE "status" = 'READY'`,
  ],
  mariadb: [
    `CREATE TABLE \`${DJANGO_TABLE}\` (\`id\` uuid NOT NULL, \`status\` varchar(10) NOT NULL, \`args_kwargs\` ${json} NOT NULL CHECK (json_valid(\`args_kwargs\`)), \`priority\` int(11) NOT NULL, \`task_path\` longtext NOT NULL, \`queue_name\` varchar(32) NOT NULL, \`backend_name\` varchar(32) NOT NULL, \`run_after\` datetime(6) NOT NULL, \`enqueued_at\` datetime(6) NOT NULL, \`finished_at\` datetime(6) DEFAULT NULL, \`started_at\` datetime(6) DEFAULT NULL, \`return_value\` ${json} DEFAULT NULL CHECK (json_valid(\`return_value\`)), \`exception_class_path\` longtext NOT NULL, \`traceback\` longtext NOT NULL, \`worker_ids\` ${json} NOT NULL CHECK (json_valid(\`worker_ids\`)), PRIMARY KEY (\`id\`), KEY \`django_task_queue_n_99c321_idx\` (\`queue_name\`), KEY \`django_task_backend_071754_idx\` (\`backend_name\`), CONSTRAINT \`priority_range\` CHECK (\`priority\` between -100 and 100))`,
  ],
}
