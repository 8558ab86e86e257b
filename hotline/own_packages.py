"""The start-up check that the packages we import are ours.

Our folders have plain names; a package of the same name from elsewhere would merge into ours or hide it, silently.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

OWN = ("foundation", "channels", "identity", "tickets", "routing", "followup", "agent_console", "public_portal", "hotline")


class ForeignPackageError(Exception):
    """A package of somebody else stands in the way of ours."""


def require_own_packages() -> None:
    """Return when every package of ours is found beside this one, else raise ForeignPackageError with the remedy."""
    home = Path(__file__).resolve().parent.parent
    for name in OWN:
        if _is_installed(name):
            raise ForeignPackageError(
                f"another project called {name!r} is installed in this environment and mixes its files with ours; "
                f"remove it (pip uninstall {name}) and install the hotline anew, or give it an environment of its own"
            )
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != home:
            where = found or "nowhere"
            raise ForeignPackageError(
                f"the package {name!r} was found in {where}, not in {home}: another project of that name is installed in the same "
                f"environment; remove it (pip uninstall {name}) or give the hotline an environment of its own"
            )


def _is_installed(project: str) -> bool:
    try:
        importlib.metadata.distribution(project)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
