"""What changes identity: linking a contact to its citizen, and accounts of the staff."""

from identity.actions.accounts import (
    AccountError,
    SignInError,
    create_sign_in_link,
    create_staff,
    password_is_right,
    set_password,
    sign_in,
    sign_in_with_link,
    sign_out,
)
from identity.actions.citizens import address_lock_key, language_for, link_to_known, resolve_citizen

__all__ = [
    "AccountError",
    "SignInError",
    "address_lock_key",
    "create_sign_in_link",
    "create_staff",
    "language_for",
    "link_to_known",
    "password_is_right",
    "resolve_citizen",
    "set_password",
    "sign_in",
    "sign_in_with_link",
    "sign_out",
]
