"""The tasks that both sides know; the app in JavaScript defines the same names."""
import os
import time

from django_tasks import task


class DomainError(Exception):
    pass


def log_run(tag):
    # One short write to a file opened for appending: lines of several processes do not mix.
    with open(os.environ["SHARED_RUN_LOG"], "a", encoding="utf-8") as log:
        log.write(f"django {tag}\n")


@task
def add(a, b):
    return a + b


@task
def greet(name, greeting="hello"):
    return f"{greeting}, {name}"


@task
def echo(value):
    return value


@task
def nothing():
    return None


@task
def fail(message):
    try:
        raise KeyError("the inner one")
    except KeyError as error:
        raise DomainError(message) from error


@task
def not_json():
    return {1, 2}


@task
async def later(value):
    return value


@task(takes_context=True)
def who_runs(context):
    result = context.task_result
    return {"id": result.id, "attempt": context.attempt, "workers": result.worker_ids}


@task
def logged(tag, seconds=0):
    log_run(tag)
    time.sleep(seconds)
