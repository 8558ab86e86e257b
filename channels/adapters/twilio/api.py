"""Sends an SMS through Twilio's REST API. Imported when the first message goes out: the SDK is large.

Source    twilio.com/docs/messaging/api/message-resource, twilio.com/docs/api/errors
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from channels.contract import (
    OptedOutError,
    PermanentSendError,
    RetryableSendError,
    SendError,
    Sent,
    UnknownOutcomeError,
    UnreachableError,
)

OPTED_OUT = 21610  # twilio.com/docs/api/errors/21610: the recipient answered STOP

# Nobody can be written to at that number. twilio.com/docs/api/errors/<code>
UNREACHABLE_ERRORS = {
    21211: "the number is not a telephone number",
    21612: "no route leads from our number to that number",
    21614: "the number is not a mobile number",
}

# About the account and not about the message: it goes out once the office has put that right.
ACCOUNT_STATUSES = {401: "the auth token is wrong", 403: "the account may not do this", 429: "too many requests"}

# A gateway gave up waiting: what stands behind it may have taken the message.
GATEWAY_TIMEOUT = 504

# The SDK logs each request at INFO, and each release decides anew what of it; citizens' data must not get there.
_SILENT = logging.getLogger("channels.adapters.twilio.sdk")
_SILENT.disabled = True


def send_sms(*, to: str, sender: str, text: str, account_sid: str, auth_token: str, api_base_url: str, timeout_seconds: float) -> Sent:
    """Deliver one SMS.

    to, sender     E.164
    api_base_url   "" for Twilio, or a server that speaks the same API
    Raises         the SendErrors
    """
    # One connection a message: on a kept one a request that died is not told from one that was taken.
    http_client = _HttpClient(api_base_url, timeout_seconds)
    client = Client(account_sid, auth_token, http_client=http_client)
    try:
        message = client.messages.create(to=to, from_=sender, body=text)
    except requests.RequestException as error:
        raise _network_error(error) from error
    except (TwilioRestException, TwilioServiceException) as error:
        raise _refusal(int(error.status), int(error.code or 0)) from error
    except (TwilioException, ValueError) as error:
        # The request went out, and what came back makes no sense.
        raise UnknownOutcomeError("Twilio's answer cannot be read") from error
    finally:
        http_client.session.close()
    if not message.sid:
        raise UnknownOutcomeError("Twilio's answer names no message")
    return Sent(str(message.sid))


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's HTTP client with a time-out and, when set, another server: the SDK has no setting for that."""

    def __init__(self, api_base_url: str, timeout_seconds: float) -> None:
        super().__init__(timeout=timeout_seconds, logger=_SILENT)
        self._base = urlsplit(api_base_url) if api_base_url else None

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, self._at_base(url), *args, **kwargs)

    def _at_base(self, url: str) -> str:
        if self._base is None:
            return url
        return urlunsplit(urlsplit(url)._replace(scheme=self._base.scheme, netloc=self._base.netloc))


def _network_error(error: requests.RequestException) -> SendError:
    """Return retryable when the request certainly never left, else unknown."""
    never_left = isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError | ValueError)
    if never_left or isinstance(_reason(error), NewConnectionError):
        return RetryableSendError("Twilio cannot be reached")
    return UnknownOutcomeError("the connection to Twilio broke after the message was sent")


def _reason(error: requests.RequestException) -> BaseException | None:
    """Return why urllib3 gave up: the `reason` of the MaxRetryError that requests wraps."""
    wrapped = error.args[0] if error.args else None
    reason = getattr(wrapped, "reason", None)
    return reason if isinstance(reason, BaseException) else None


def _refusal(status: int, code: int) -> SendError:
    """Return what a refusal means for the message. Twilio's own words are left out: they quote the number."""
    if code == OPTED_OUT:
        return OptedOutError("the recipient answered STOP (Twilio error 21610)")
    if code in UNREACHABLE_ERRORS:
        return UnreachableError(f"{UNREACHABLE_ERRORS[code]} (Twilio error {code})")
    if status in ACCOUNT_STATUSES:
        return RetryableSendError(f"Twilio answered {status}: {ACCOUNT_STATUSES[status]} (error {code})")
    if status == GATEWAY_TIMEOUT:
        return UnknownOutcomeError("Twilio answered 504")
    if status >= 500:
        return RetryableSendError(f"Twilio answered {status}")
    return PermanentSendError(f"Twilio refused the message: status {status}, error {code}")
