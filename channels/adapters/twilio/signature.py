"""Is a request from Twilio? Its signature covers the URL that Twilio called and every form field.

Source    twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from channels.contract import ForgedRequestError, RawRequest
from channels.reading import read_form


def require_signature(request: RawRequest, *, public_base_url: str, tokens: tuple[str, ...]) -> None:
    """Return when one of `tokens` signed the request, else raise ForgedRequestError; never anything else.

    public_base_url   what Twilio called; Host and X-Forwarded-* are never asked, a stranger writes them
    """
    try:
        is_genuine = _is_signed(request, public_base_url.rstrip("/") + request.path_and_query, tokens)
    except Exception as error:
        # The validator raises TypeError, ValueError and IndexError on headers and URLs that anybody can send.
        raise ForgedRequestError("the signature cannot be checked") from error
    if not is_genuine:
        raise ForgedRequestError("the signature is wrong; [server] public_base_url must be the URL that Twilio calls")


def _is_signed(request: RawRequest, url: str, tokens: tuple[str, ...]) -> bool:
    form = read_form(request.body)
    given = request.headers[SIGNATURE_HEADER.lower()]
    algorithm = get_signature_algorithm(request.headers.get(SIGNATURE_SETTINGS_HEADER.lower()))
    return any(RequestValidator(token).validate(url, form, given, algorithm) for token in tokens)
