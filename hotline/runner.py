"""The embedded job runner: two threads of the server that do what Celery's workers do elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from foundation.clock import monotonic_seconds
from foundation.work import Lane
from hotline.jobs import PERIODIC
from hotline.lanes import run_lane, sweep_lanes
from hotline.office import SERVER_WORKER, Office

log = structlog.get_logger(__name__)

DATABASE_LANES = (Lane.INTAKE, Lane.REACTIONS, Lane.FOLLOWUP, Lane.UPKEEP)
GATHER_SECONDS = 0.02  # after a wake-up: what comes in together is done together, in one commit
NETWORK_LANES = (Lane.OUTBOX,)  # waits for providers, so it has a thread of its own


class Runner:
    """Claims and does due work until it is stopped. One runner per database on SQLite; any number on PostgreSQL."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._stopping = threading.Event()
        self._awake = {DATABASE_LANES: threading.Event(), NETWORK_LANES: threading.Event()}
        self._threads = [threading.Thread(target=self._run, args=(lanes,), name=f"runner-{lanes[0]}", daemon=True) for lanes in self._awake]
        self._last_periodic: dict[str, float] = {}
        self._named: set[str] = set(Lane)  # lanes that somebody named since they were last looked at
        self._guard = threading.Lock()

    def start(self) -> None:
        self._office.database.nudge = self.nudge
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the batches in hand, then stop."""
        self._stopping.set()
        for event in self._awake.values():
            event.set()
        for thread in self._threads:
            thread.join()

    @property
    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def nudge(self, lanes: frozenset[str]) -> None:
        """Wake the threads that do these lanes."""
        with self._guard:
            self._named |= lanes
        for served, event in self._awake.items():
            if not lanes.isdisjoint(served):
                event.set()

    def _run(self, lanes: Sequence[Lane]) -> None:
        awake = self._awake[tuple(lanes)]
        pause = self._office.settings.work.sweep_seconds
        swept_at = -float(pause)
        while not self._stopping.is_set():
            awake.clear()
            try:
                if lanes is DATABASE_LANES and monotonic_seconds() - swept_at >= pause:
                    swept_at = monotonic_seconds()
                    self._sweep()
                done = sum(self._do(lane) for lane in lanes)
            except Exception:
                # The database may be away for a while; the rows stay and their leases run out.
                log.exception("runner_failed", lanes=[str(lane) for lane in lanes])
                done = 0
                self._stopping.wait(1.0)
            if not done and not self._stopping.is_set() and awake.wait(timeout=pause):
                self._stopping.wait(GATHER_SECONDS)

    def _do(self, lane: Lane) -> int:
        """Do one batch of a lane that was named; a lane without work costs nothing."""
        with self._guard:
            if lane not in self._named:
                return 0
            self._named.discard(lane)
        done = run_lane(self._office, lane, worker=SERVER_WORKER)
        if done:
            with self._guard:
                self._named.add(lane)  # there may be more than this batch
        return done

    def _sweep(self) -> None:
        self.nudge(frozenset(sweep_lanes(self._office)))
        for name, job in PERIODIC.items():
            if monotonic_seconds() - self._last_periodic.get(name, float("-inf")) >= job.every.total_seconds():
                self._last_periodic[name] = monotonic_seconds()
                with self._office.database.write() as session:
                    job.run(session)
