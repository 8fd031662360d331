"""Signing in by a one-time link, and out."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.console import rendering
from pipeline.console.access import SESSION_MS, Access, NewAccess, NotSignedIn, Why
from pipeline.console.desk import About
from pipeline.console.protect import Place
from pipeline.console.visit import form_of

REFUSED: Final[Mapping[Why, tuple[str, str]]] = {
    "used": ("This link was used already", "A link works once, and for 10 minutes."),
    "late": ("This link is too old", "A link works once, and for 10 minutes."),
    "unknown": ("This link opens nothing", "It is not whole, it was used long ago, or all sessions were ended since."),
}

CODE_BYTES: Final = 2_000
CODE_S: Final = 5.0
"""A stranger's form is small, and comes at once."""


class SignIn:
    """The pages that need no session."""

    def __init__(self, access: Access, place: Place, about: About) -> None:
        self._access = access
        self._place = place
        self._about = about

    async def show(self, _: Request) -> Response:
        """The form; opening the link uses nothing up, so that nobody who looks ahead can."""
        return HTMLResponse(rendering.page("sign-in.html", {"about": self._about}))

    async def enter(self, request: Request) -> Response:
        form = await form_of(request, CODE_BYTES, CODE_S)
        try:
            session = await self._access.sign_in(form.one("code").strip().rpartition("#")[2] if form else "")
        except NotSignedIn as refusal:
            title, text = REFUSED[refusal.why]
            facts = {"title": title, "text": text, "used": refusal.why == "used"}
            return HTMLResponse(rendering.page("sign-in-refused.html", facts), 403)
        return with_session(self._place, session)


def with_session(place: Place, session: NewAccess) -> Response:
    """The answer to whoever was let in."""
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        place.cookie,
        session.secret,
        max_age=SESSION_MS // 1000,
        path="/",
        secure=place.secure,
        httponly=True,
        samesite="lax",
    )
    return answer
