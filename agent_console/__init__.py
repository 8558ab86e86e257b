"""Pages for the staff: sign-in, the ticket list, one ticket's timeline, and what needs a person."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from agent_console import attention, sign_in, ticket_list, ticket_page
from agent_console.visits import StaffRoute

router = APIRouter(default_response_class=HTMLResponse, route_class=StaffRoute)
for _screen in (sign_in, ticket_list, ticket_page, attention):
    router.include_router(_screen.router)
