"""A block that fails, for tests of what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")


@contextmanager
def failing(block: AbstractContextManager[T]) -> Iterator[T]:
    """Run a transaction or a step that fails at its end, and see that the error comes out of it."""
    with pytest.raises(ZeroDivisionError), block as given:  # noqa: PT012 the error must come out of `block`
        yield given
        raise ZeroDivisionError
