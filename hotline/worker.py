"""The same jobs by Celery workers on Redis: `celery -A hotline.worker worker` and `celery -A hotline.worker beat`.

A message names a lane and nothing else. It may be lost, late or doubled: the rows of `due_work` are the queue, and the
sweep that beat sends every few seconds finds whatever nobody was told of.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from foundation.settings import SettingsError, load_settings
from foundation.work import Lane
from hotline.jobs import PERIODIC
from hotline.lanes import run_lane, sweep_lanes
from hotline.office import Office, open_office

settings = load_settings()
if not settings.redis_url:
    raise SettingsError('[redis] url is empty; Celery needs one, such as "redis://127.0.0.1:6379/0". Without Redis use: hotline serve')

MAX_BATCHES = 20  # then the lane is sent again, so that one busy lane does not hold a worker for ever

app = Celery("hotline", broker=settings.redis_url)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=False,  # a lost message costs one sweep; a doubled one is harmless, but not free
    worker_prefetch_multiplier=1,
    task_time_limit=max(settings.work.lease_seconds - 5, 5),
    task_default_queue="hotline",
    broker_connection_retry_on_startup=True,
    timezone="UTC",
    beat_schedule={
        "sweep": {"task": "hotline.sweep", "schedule": settings.work.sweep_seconds, "options": {"expires": settings.work.sweep_seconds}},
        **{
            name: {"task": "hotline.periodic", "args": (name,), "schedule": job.every, "options": {"expires": job.every.total_seconds()}}
            for name, job in PERIODIC.items()
        },
    },
)


@cache
def office() -> Office:
    """Return this process's installation, opened by its first task: a forked worker must not share connections."""
    opened = open_office(load_settings())
    opened.database.nudge = nudge
    return opened


@worker_process_init.connect
def _forget_parent(**_: Any) -> None:
    office.cache_clear()


def nudge(lanes: frozenset[str]) -> None:
    """Send one message per lane that has work due."""
    for lane in lanes:
        do_lane.apply_async(args=(str(lane),), expires=settings.work.sweep_seconds * 2)


@app.task(name="hotline.lane")
def do_lane(lane: str) -> None:
    """Do what is due in a lane."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    for _ in range(MAX_BATCHES):
        if not run_lane(office(), Lane(lane), worker=worker):
            return
    nudge(frozenset({lane}))


@app.task(name="hotline.sweep")
def sweep() -> None:
    """Find what nobody was told of."""
    nudge(frozenset(str(lane) for lane in sweep_lanes(office())))


@app.task(name="hotline.periodic")
def do_periodic(name: str) -> None:
    """Run one periodic job."""
    with office().database.write() as session:
        PERIODIC[name].run(session)
