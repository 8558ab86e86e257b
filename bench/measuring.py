"""Records on stdout, progress on stderr, and what a process tree costs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import psutil


def record(name: str, **values: Any) -> None:
    """Print one measurement as a JSON line."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}
    print(json.dumps({"name": name} | rounded, ensure_ascii=False), flush=True)


def say(line: str) -> None:
    """Tell whoever waits what is being done."""
    print(line, file=sys.stderr, flush=True)


def percentile(values: list[float], percent: float) -> float:
    """Return the value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds, user and system, of a process and its children, those that ended included."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    alive = [child.cpu_times() for child in process.children(recursive=True)]
    return float(own.user + own.system + own.children_user + own.children_system + sum(times.user + times.system for times in alive))


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes of a process tree. `pss` counts a page shared by several processes once, `rss` in each of them."""

    rss_mb: float
    pss_mb: float
    processes: int


def memory(pid: int) -> Memory:
    """Return the memory of a process and its children."""
    process = psutil.Process(pid)
    found = [one.memory_full_info() for one in (process, *process.children(recursive=True))]
    return Memory(sum(one.rss for one in found) / 1e6, sum(one.pss for one in found) / 1e6, len(found))
