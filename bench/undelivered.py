"""`hotline serve` whose acknowledgements are queued but handed to nobody: what is left is the way to a routed ticket."""

from __future__ import annotations

import sys

import hotline.runner
from foundation.work import Lane
from hotline.cli import main

if __name__ == "__main__":
    hotline.runner.NETWORK_LANES = (Lane.UPKEEP,)  # a lane in which nothing is ever due
    sys.exit(main())
