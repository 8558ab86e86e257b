"""A stand-in for the part of Twilio's REST API that we call: POST …/Messages.json.

It refuses what Twilio's published schema does not allow (operation CreateMessage, title CreateMessageRequest in
github.com/twilio/twilio-oai, spec/json/twilio_api_v2010.json), also names that the schema does not know.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tests.standins.loopback import Answer

E164 = re.compile(r"\+[1-9]\d{6,14}")
URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?(/\S*)?")
BOOLEAN = re.compile(r"true|false")
WHOLE = re.compile(r"\d+")
ANYTHING = re.compile(r".*", re.DOTALL)


def _sid(prefix: str) -> re.Pattern[str]:
    return re.compile(prefix + "[0-9a-fA-F]{32}")


# Every parameter that a message may be created with, and the shape of its value.
PARAMETERS = {
    "To": E164,
    "From": E164,
    "MessagingServiceSid": _sid("MG"),
    "Body": re.compile(r".{1,1600}", re.DOTALL),
    "MediaUrl": URL,
    "ContentSid": _sid("HX"),
    "StatusCallback": URL,
    "ApplicationSid": _sid("AP"),
    "MaxPrice": re.compile(r"\d+(\.\d+)?"),
    "ProvideFeedback": BOOLEAN,
    "Attempt": WHOLE,
    "ValidityPeriod": WHOLE,
    "ForceDelivery": BOOLEAN,
    "ContentRetention": re.compile("retain|discard"),
    "AddressRetention": re.compile("retain|obfuscate"),
    "SmartEncoded": BOOLEAN,
    "PersistentAction": ANYTHING,
    "ShortenUrls": BOOLEAN,
    "ScheduleType": re.compile("fixed"),
    "SendAt": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "SendAsMms": BOOLEAN,
    "ContentVariables": ANYTHING,
    "RiskCheck": re.compile("enable|disable"),
}
REQUIRED = ("To",)
ONE_OF = (("From", "MessagingServiceSid"), ("Body", "MediaUrl", "ContentSid"))
MANY = frozenset({"MediaUrl", "PersistentAction"})


@dataclass
class TwilioApi:
    """Takes messages for one account.

    next_answer   given instead of a message's creation, for the refusals that a well-formed request can meet
    """

    account_sid: str
    auth_token: str
    messages: list[dict[str, str]] = field(default_factory=list)
    next_answer: Answer | None = None

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("authorization") != _basic(self.account_sid, self.auth_token):
            return refusal(401, 20003, "Authenticate")
        if (method, urlsplit(path).path) != ("POST", f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"):
            return refusal(404, 20404, f"The requested resource {path} was not found")
        parameters = parse_qsl(body.decode("utf-8"), keep_blank_values=True)
        for problem in problems(parameters, headers.get("content-type", "")):
            return refusal(400, 21000, problem)
        self.messages.append(dict(parameters))
        return self.next_answer or self._created(dict(parameters))

    def _created(self, parameters: dict[str, str]) -> Answer:
        sid = f"SM{len(self.messages):032x}"
        message: dict[str, object] = {
            "sid": sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "to": parameters["To"],
            "from": parameters.get("From"),
            "body": parameters.get("Body", ""),
            "status": "queued",
            "direction": "outbound-api",
            "date_created": "Thu, 21 Nov 2024 10:00:00 +0000",
            "date_updated": "Thu, 21 Nov 2024 10:00:00 +0000",
            "date_sent": None,
            "num_segments": "1",
            "num_media": "0",
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": None,
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{sid}.json",
            "subresource_uris": {},
        }
        return Answer(201, json.dumps(message).encode())


def problems(parameters: list[tuple[str, str]], content_type: str) -> list[str]:
    """Return what is wrong with a request to create a message, in sentences."""
    names = [name for name, _ in parameters]
    found = [] if content_type == "application/x-www-form-urlencoded" else [f"content type {content_type!r}"]
    found += [f"unknown parameter {name}" for name in names if name not in PARAMETERS]
    found += [f"{name} is missing" for name in REQUIRED if name not in names]
    found += [f"one of {group} is required" for group in ONE_OF if not set(group) & set(names)]
    found += [f"{name} came twice" for name in set(names) - MANY if names.count(name) > 1]
    found += [f"{name} is malformed" for name, value in parameters if name in PARAMETERS and not PARAMETERS[name].fullmatch(value)]
    return found


def refusal(status: int, code: int, message: str) -> Answer:
    """Return an error as Twilio writes it."""
    body = {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    return Answer(status, json.dumps(body).encode())


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
