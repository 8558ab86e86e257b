from collections.abc import Iterator

import pytest

from foundation.clock import SetClock
from foundation.settings import Settings
from tests.site import Site, open_site


@pytest.fixture
def site(settings: Settings, clock: SetClock) -> Iterator[Site]:
    """The web application, with nothing but the base data."""
    with open_site(settings, clock) as site:
        yield site
