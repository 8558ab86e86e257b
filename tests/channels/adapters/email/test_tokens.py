"""Addresses that lead an answer back to its ticket."""

from __future__ import annotations

import pytest

from channels.adapters.email.tokens import reply_address, split_recipient, ticket_number_of

KEY = "a key of the installation"
ADDRESS = reply_address("hotline@city.example", "2026-000123", KEY)


def test_an_answer_to_our_letter_names_its_ticket() -> None:
    assert ADDRESS.startswith("hotline+2026-000123.")
    assert ticket_number_of(ADDRESS, KEY) == "2026-000123"


def test_a_mail_server_may_change_the_case_of_the_address() -> None:
    assert ticket_number_of(ADDRESS.upper(), KEY) == "2026-000123"


@pytest.mark.parametrize(
    "recipient",
    [
        "hotline@city.example",
        ADDRESS.replace("000123", "000124"),
        ADDRESS.replace("hotline", "mayor"),
        ADDRESS.replace(".example", ".example.org"),
        ADDRESS.replace("@", "0@"),
        "hotline+2026-000123@city.example",
        "hotline+2026-000123.000000000000@city.example",
        "hotline+２０２６-000123.000000000000@city.example",
        "\udcff+@",
        "",
    ],
)
def test_a_forged_address_names_no_ticket(recipient: str) -> None:
    assert ticket_number_of(recipient, KEY) == ""


def test_another_installations_address_names_no_ticket_here() -> None:
    assert ticket_number_of(ADDRESS, "another key") == ""


def test_the_mailbox_is_the_address_without_its_plus_part() -> None:
    assert split_recipient("Hotline+Abc+d@City.Example") == ("hotline@city.example", "abc+d")
