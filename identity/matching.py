"""Which citizen a contact belongs to: pure rules over who holds its address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from rapidfuzz import fuzz

from channels.contract import Address, Channel
from foundation.i18n import Sentence, mark

SAME_NAME_PERCENT = 85
HONORIFICS = ("先生", "女士", "小姐", "老师", "同志")
LATIN_HONORIFICS = frozenset({"mr", "mrs", "ms", "dr"})


class Grade(StrEnum):
    PROBABLE = "probable"  # the same address on the same channel came back
    NEW = "new"  # a profile of its own


@dataclass(frozen=True, slots=True)
class Holder:
    """A citizen who was seen with the contact's address, and where and when."""

    citizen_id: UUID
    name: str
    channel: str
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """citizen_id is None when a new profile is to be made; it is provisional when it may double another."""

    citizen_id: UUID | None
    grade: Grade
    is_provisional: bool
    reasons: tuple[Sentence, ...]


def match(address: Address, name: str, channel: Channel, holders: Sequence[Holder]) -> Match:
    """Return the citizen to go on with, or that a new profile is needed, and why.

    An address continues with the profile that it last used on this channel, unless the name speaks against it. An address
    known only from other channels is a claim: it makes a profile of its own, and the claim is noted.
    """
    if not address.is_known:
        return _new(mark("No address was given, so nothing links this contact to anybody."), provisional=True)
    here = sorted((holder for holder in holders if holder.channel == channel), key=lambda holder: holder.last_used_at, reverse=True)
    agreeing = [holder for holder in here if not _names_differ(name, holder.name)]
    if agreeing:
        return _continue(agreeing[0], several=len({holder.citizen_id for holder in holders}) > 1)
    if here:
        reason = mark("The address is known, but under another name: this may be another person of the same household.")
        return _new(reason, provisional=True)
    if len({holder.citizen_id for holder in holders}) > 1:
        return _new(mark("Several people hold this address, none of them seen with it on this channel."), provisional=True)
    if holders:
        return _new(mark("The address is known only from another channel, where it was claimed and not proven."), provisional=True)
    return _new(mark("The address was not seen before."), provisional=False)


def _continue(holder: Holder, *, several: bool) -> Match:
    reasons: list[Sentence] = [(mark("The same address came back on the same channel, and nothing speaks against it."), {})]
    if several:
        reasons.append((mark("Several people hold this address; this one used it last here."), {}))
    return Match(holder.citizen_id, Grade.PROBABLE, False, tuple(reasons))


def _new(reason: str, *, provisional: bool) -> Match:
    return Match(None, Grade.NEW, provisional, ((reason, {}),))


def _names_differ(one: str, other: str) -> bool:
    """Return whether two names speak against being one person; an unknown name speaks against nobody."""
    first, second = _plain(one), _plain(other)
    if not first or not second:
        return False
    if _is_han(first) and _is_han(second):
        return not (first.startswith(second) or second.startswith(first))
    if _is_han(first) != _is_han(second):
        return False  # a name and its transcription cannot be compared letter by letter
    words, others = set(first.split()), set(second.split())
    only_first, only_second = " ".join(sorted(words - others)), " ".join(sorted(others - words))
    # What both share, a family's surname, says nothing about which of them it is.
    return bool(only_first and only_second) and fuzz.ratio(only_first, only_second) < SAME_NAME_PERCENT


def _plain(name: str) -> str:
    plain = name.casefold().strip()
    if not _is_han(plain):
        return " ".join(word for word in re.findall(r"\w+", re.sub("['’]", "", plain)) if word not in LATIN_HONORIFICS)
    for honorific in HONORIFICS:
        plain = plain.removesuffix(honorific).strip()
    return "".join(plain.split())  # some write 王 伟


def _is_han(name: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in name)
