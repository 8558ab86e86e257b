"""Measure: `python -m bench [--only NAME …] [--scale N]`. JSON lines on stdout, progress on stderr.

Everything runs on an empty store and on one with `scale` tickets and citizens; SQLite on this disk, synchronous=FULL.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bench import inside, intake, standing
from bench.intake import Load
from bench.measuring import say


def main() -> None:
    chosen = _arguments()
    stores = {"empty": [0], "large": [chosen.scale], "both": [0, chosen.scale]}[chosen.store]
    names = chosen.only or list(MEASUREMENTS)
    for scale in stores:
        for name in names:
            say(f"── {name}, {scale or 'no'} tickets in the store")
            MEASUREMENTS[name](chosen, scale)


def _noop(chosen: argparse.Namespace, scale: int) -> None:
    if scale == 0:
        for clients in chosen.clients:
            intake.noop_smtp(clients, chosen.count)


def _email(chosen: argparse.Namespace, scale: int) -> None:
    noop_ms = {clients: intake.noop_smtp(clients, chosen.count) for clients in chosen.clients}
    loads = [Load(clients, chosen.count, noop_ms[clients]) for clients in chosen.clients]
    for delivered in (True, False):
        intake.email(loads, scale, delivered=delivered)


def _sms(chosen: argparse.Namespace, scale: int) -> None:
    intake.sms([Load(clients, chosen.count) for clients in chosen.clients], scale)


MEASUREMENTS: dict[str, Callable[[argparse.Namespace, int], None]] = {
    "noop_smtp": _noop,
    "email": _email,
    "sms": _sms,
    "match": lambda chosen, scale: inside.match(scale, chosen.count),
    "claim": lambda chosen, scale: inside.claiming(scale, chosen.count),
    "page": lambda chosen, scale: standing.page(scale, chosen.count),
    "idle": lambda chosen, scale: standing.idle(scale, chosen.seconds),
}


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", action="extend", type=_names, default=[], help=f"names, comma between them: {', '.join(MEASUREMENTS)}")
    arguments.add_argument("--scale", type=int, default=100_000, help="tickets and citizens of the large store")
    arguments.add_argument("--store", choices=["empty", "large", "both"], default="both")
    arguments.add_argument("--clients", type=lambda text: [int(part) for part in text.split(",")], default=[1, 10, 50])
    arguments.add_argument("--count", type=int, default=500, help="contacts, pages or rows of each measurement")
    arguments.add_argument("--seconds", type=int, default=60, help="how long the server is left alone")
    return arguments.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(MEASUREMENTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))} is no measurement; there are {', '.join(MEASUREMENTS)}")
    return names


if __name__ == "__main__":
    main()
