"""Pages for citizens: report a matter, follow it by number and code. Anyone may call them; nobody signs in."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from public_portal import language, report, track

router = APIRouter(default_response_class=HTMLResponse)
for _page in (report, track, language):
    router.include_router(_page.router)
