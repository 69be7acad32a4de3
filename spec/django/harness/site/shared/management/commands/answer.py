"""
Answers requests, so that many of them need one start of Django. Each line of stdin is a request, a JSON array of a name
and arguments; each line of stdout is its answer, as JSON: {"answer": …} or {"error": traceback}.
"""
import json
import sys
import traceback
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand
from django.test import Client
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks import default_task_backend

ADMIN = "/admin/django_tasks_database/dbtaskresult/"


def outcome(read):
    """What reading gives, or the exception that it raises."""
    try:
        return read()
    except Exception as error:
        return {"raises": f"{type(error).__name__}: {error}"}


def as_json(result):
    names = ["id", "status", "is_finished", "args", "kwargs", "backend", "worker_ids", "attempts"]
    times = ["enqueued_at", "started_at", "finished_at", "last_attempted_at"]
    return {
        **{name: getattr(result, name) for name in names},
        **{name: instant(getattr(result, name)) for name in times},
        "task": result.task.module_path,
        "priority": result.task.priority,
        "queue_name": result.task.queue_name,
        "run_after": instant(result.task.run_after),
        "return_value": outcome(lambda: result.return_value),
        "errors": [
            {
                "exception_class_path": error.exception_class_path,
                "exception_class": outcome(lambda error=error: error.exception_class.__qualname__),
                "traceback": error.traceback,
            }
            for error in result.errors
        ],
    }


def instant(value):
    return value and value.isoformat(timespec="microseconds")


class Requests:
    def __init__(self):
        self.enqueued = {}

    def enqueue(self, *calls):
        """Calls are {task, args, kwargs, priority, queue_name, delay_seconds}, only the first required. Gives the ids."""
        for result in (self.enqueue_one(**call) for call in calls):
            self.enqueued[result.id] = result
            yield result.id

    def enqueue_one(self, task, args=(), kwargs=None, delay_seconds=None, **options):
        run_after = None if delay_seconds is None else timezone.now() + timedelta(seconds=delay_seconds)
        return import_string(task).using(run_after=run_after, **options).enqueue(*args, **(kwargs or {}))

    def get(self, *ids):
        """What get_result gives."""
        for id in ids:
            yield outcome(lambda id=id: as_json(default_task_backend.get_result(id)))

    def refresh(self, *ids):
        """What results that `enqueue` gave are after their refresh()."""
        for id in ids:
            self.enqueued[id].refresh()
            yield as_json(self.enqueued[id])

    def admin(self, *ids):
        """The HTTP status of the list, and that of each row's page."""
        user, _ = get_user_model().objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
        client = Client(raise_request_exception=False)
        client.force_login(user)
        for page in [ADMIN, *(f"{ADMIN}{id}/change/" for id in ids)]:
            response = client.get(page)
            yield {"page": page, "status": response.status_code, "html": response.content.decode()}


class Command(BaseCommand):
    def handle(self, **_):
        requests = Requests()
        for line in sys.stdin:
            name, *args = json.loads(line)
            try:
                answer = {"answer": list(getattr(requests, name)(*args))}
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)
