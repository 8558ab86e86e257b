"""What can be done to a ticket. Each verb writes exactly one event per ticket that it touches, with its actor."""

from tickets.actions.accepting import Accepted, accept_again, accept_contact, give_up, lock_keys
from tickets.actions.handling import (
    accept,
    answer,
    assign,
    close,
    order_redo,
    remind,
    return_ticket,
    sign,
    start,
    start_revisit,
)
from tickets.actions.opening import append, describe, end_call, open_ticket, request_callback
from tickets.actions.promising import PromiseMissingError, promise

__all__ = [
    "Accepted",
    "PromiseMissingError",
    "accept",
    "accept_again",
    "accept_contact",
    "answer",
    "append",
    "assign",
    "close",
    "describe",
    "end_call",
    "give_up",
    "lock_keys",
    "open_ticket",
    "order_redo",
    "promise",
    "remind",
    "request_callback",
    "return_ticket",
    "sign",
    "start",
    "start_revisit",
]
