"""The report form: what a citizen types becomes a ticket, through the same reception as every other door."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from channels.contract import Outcome, RawRequest, Reception
from foundation.i18n import mark, say
from foundation.security import new_token, token_hash, who_may_call
from public_portal.form import FORM_ID, MAX_LENGTH, ReportForm, problems, read_form
from public_portal.pages import answer, language_of, settings_of
from tickets.timeline import KIND_NAMES, words_of

router = APIRouter()

PATH = "/report"
MAX_BODY = 64 * 1024  # bytes; 5,000 Chinese characters are 45,000 bytes when urlencoded

TRY_AGAIN = mark("We could not save your report just now. Nothing of what you wrote is lost: please wait a moment and press Send again.")
OUT_OF_DATE = mark("This form was too old to be sent. What you wrote is still here: please press Send again.")
TOO_MUCH = mark("This is more than the form can carry. Please shorten it, or call us.")


@router.get(PATH)
@who_may_call("anyone")
def show_form(request: Request) -> HTMLResponse:
    """Return an empty form."""
    if _is_shut(request):
        return answer(request, "report/shut.html", status=503, next_path=PATH)
    return _form_page(request, ReportForm(form_id=_new_form_id()))


@router.post(PATH)
@who_may_call("anyone")
async def send_report(request: Request) -> HTMLResponse:
    """Take a report: a receipt with number and code, or the form again with what has to be put right."""
    if _is_shut(request):
        return answer(request, "report/shut.html", status=503, next_path=PATH)
    body = await _body(request)
    if body is None:
        return _form_page(request, ReportForm(form_id=_new_form_id()), status=413, trouble=TOO_MUCH)
    form = read_form(body)
    found = problems(form, region=settings_of(request).city.phone_region)
    if not FORM_ID.fullmatch(form.form_id):
        return _form_page(request, _with_new_id(form), found, status=400, trouble="" if found else OUT_OF_DATE)
    if found:
        return _form_page(request, form, found, status=422)
    reception: Reception = request.app.state.reception
    reply = await reception("web", _raw_request(request, body))
    if reply.response.status >= 400 or not reply.outcomes:
        return _form_page(request, form, status=503, trouble=TRY_AGAIN)
    return _receipt_page(request, reply.outcomes[0])


def _is_shut(request: Request) -> bool:
    """Return whether the settings keep this door shut."""
    return not settings_of(request).channels.get("web", {}).get("enabled", True)


async def _body(request: Request) -> bytes | None:
    """Return the body, or None when it is larger than a form can be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return None
    return body


def _raw_request(request: Request, body: bytes) -> RawRequest:
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"}
    return RawRequest("POST", PATH, headers, body, peer=request.client.host if request.client else "")


def _new_form_id() -> str:
    return token_hash(new_token())


def _with_new_id(form: ReportForm) -> ReportForm:
    return replace(form, form_id=_new_form_id())


def _form_page(
    request: Request, form: ReportForm, found: dict[str, str] | None = None, *, status: int = 200, trouble: str = ""
) -> HTMLResponse:
    """Return the form with what was typed.

    found     field → what is wrong with it
    trouble   what went wrong with the whole, "" for nothing
    """
    language = language_of(request)
    return answer(
        request,
        "report/form.html",
        status=status,
        next_path=PATH,
        form=form,
        problems={name: say(language, sentence) for name, sentence in (found or {}).items()},
        trouble=say(language, trouble) if trouble else "",
        kinds=words_of(KIND_NAMES, language),
        limits=MAX_LENGTH,
    )


def _receipt_page(request: Request, outcome: Outcome) -> HTMLResponse:
    return answer(
        request,
        "report/receipt.html",
        number=outcome.ticket_number or outcome.receipt,
        code=outcome.lookup_code if outcome.ticket_number else "",
        is_pending=outcome.ticket_number is None,
        is_repeat=outcome.is_repeat,
    )
