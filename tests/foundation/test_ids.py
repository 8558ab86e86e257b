from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from foundation.clock import SystemClock
from foundation.ids import new_id


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert [str(each) for each in made] == sorted(str(each) for each in made)


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: new_id(), range(10_000)))
    assert len(set(made)) == len(made)


def test_an_id_says_when_it_was_made() -> None:
    made = new_id()
    assert made.version == 7
    moment = datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
    assert abs(SystemClock().now() - moment) < timedelta(seconds=10)
