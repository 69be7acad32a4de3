"""Runs all migrations of the site."""
from django.core.management import BaseCommand, call_command
from django.db import connection

TABLE = "django_tasks_database_dbtaskresult"


class Command(BaseCommand):
    def handle(self, **_):
        if connection.vendor == "mysql" and connection.mysql_is_mariadb:
            self.migrate_mariadb()
        else:
            call_command("migrate", verbosity=0)

    def migrate_mariadb(self):
        # MariaDB has no partial indexes, so 0016 does not create this one, but 0019 renames it. An index of that name
        # lets the migrations pass; afterwards it is dropped, because a MariaDB of django-tasks-db has none.
        call_command("migrate", "django_tasks_database", "0018", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE INDEX django_task_new_ordering_idx ON {TABLE} (status, priority DESC, run_after)")
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX tasks_db_new_ordering_idx ON {TABLE}")
