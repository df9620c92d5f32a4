"""Renders pages: templates that refuse unknown names, the context that every page shares, fragments and files.

A page function is ``return render(request, "plans/plan.html", plan=plan)``; for SSE, ``partial("#clock",
fragment(request, "runs/cockpit.html", "clock", run=run))`` is one region of an open page.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.core import clock, formats, forms, i18n, labels
from app.core.audit import outside
from app.core.browser import Fields, local_path, open_form
from app.core.errors import NotSignedIn, Problem, StepUpNeeded

APP = Path(__file__).resolve().parent.parent
STATIC = APP / "static"
THEME_COOKIE = "wissel_theme"
THEMES = ("system", "light", "dark")
A_YEAR = 365 * 86_400


TABS: set[str] = set()
"""Collections whose objects have an audit tab, as the domain that shows it says."""
_AUDITOR, _ALARMED = "auditor", {"auditor", "administrator"}


class Named(Protocol):
    """Who is signed in, as far as a page shows it."""

    @property
    def name(self) -> str:
        """The person's name."""


class Visitor(Protocol):
    """What the access domain puts in ``request.state.visitor``; core does not import it."""

    @property
    def actor(self) -> Named:
        """Who it is."""

    @property
    def csrf(self) -> str:
        """The token that goes into each form."""

    @property
    def language(self) -> str:
        """The person's own language: nl or en."""

    @property
    def is_proved(self) -> bool:
        """Whether they proved shortly ago who they are, as what they answer for with their name asks."""


@cache
def fingerprint(name: str) -> str:
    """Twelve characters that change with a file's content, so that browsers may keep it for a year."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static(name: str) -> str:
    """Address of a file under app/static, with its fingerprint."""
    return f"/static/{name}?v={fingerprint(name)}"


class Files(StaticFiles):
    """Files under app/static: kept for a year when asked for by fingerprint, else checked again after an hour."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        exact = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable" if exact else "public, max-age=3600"
        return response


def initials(name: str) -> str:
    """Two letters for the round mark: first and last word of a name."""
    words = name.split()
    return "".join(word[0] for word in (words[0], words[-1])).upper() if len(words) > 1 else name[:2].upper()


@cache
def environment() -> Environment:
    """The templates: an unknown name is an error, everything is escaped, sentences come in the reader's language."""
    made = Environment(
        loader=FileSystemLoader(APP / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=i18n.shown,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    made.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(formats.FILTERS, lang=i18n.pick, told=i18n.gettext, initials=initials)
    made.filters.update(label=labels.label, named=labels.named, spoken=forms.spoken)
    made.globals.update(static=static, LANGUAGES=i18n.LANGUAGES, THEMES=THEMES)
    return made


def shared(request: Request) -> dict[str, Any]:
    """What every page may use: who looks, language, theme, form token, organisation, version, present moment."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    settings = getattr(request.app.state, "settings", None)
    theme = request.cookies.get(THEME_COOKIE, "system")
    roles = {str(role) for role in getattr(visitor.actor, "roles", ())} if visitor else set()
    roles |= {str(grant.role) for grant in getattr(visitor.actor, "grants", ())} if visitor else set()
    return {
        "reads_audit": _AUDITOR in roles,
        "audit_tab": _tab(request.url.path) if _AUDITOR in roles else "",
        "alarm": _alarm(request) if roles & _ALARMED else None,
        "request": request,
        "person": visitor.actor if visitor else None,
        "csrf": visitor.csrf if visitor else "",
        "must_prove": visitor is not None and not visitor.is_proved,
        "language": i18n.language(),
        "theme": theme if theme in THEMES else "system",
        "organisation": getattr(settings, "organisation", "Wissel"),
        "version": request.app.version,
        "now": clock.now(),
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }


def _tab(path: str) -> str:
    """The address of the audit tab that belongs to the page of an object; empty for any other page."""
    collection, _slash, key = path.lstrip("/").partition("/")
    return f"{path}/audit" if collection in TABS and key not in ("", "new") and "/" not in key else ""


def _alarm(request: Request) -> str | None:
    """Why the audit log is not what it was, for those who must know at once."""
    database = getattr(request.app.state, "database", None)
    if database is None:
        return None
    try:
        with database.transaction(write=False) as session:
            return outside.trouble(session)
    except SQLAlchemyError:  # the page that is asked for says so, if it needs the database
        return None


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """A whole page, in the language of the request."""
    text = environment().get_template(template).render({**shared(request), **context})
    return HTMLResponse(text, status_code=status, headers=dict(headers or {}))


def fragment(request: Request, template: str, block: str, **context: Any) -> str:
    """One block of a page's template, for a region that is renewed while the page is open."""
    found = environment().get_template(template)
    with i18n.speaking(getattr(request.state, "language", i18n.DEFAULT)):
        made = found.new_context({**shared(request), **context})
        return "".join(found.blocks[block](made))


def partial(target: str, content: str, swap: str = "outerMorph") -> str:
    """One region in an unnamed SSE message (``ServerSentEvent(raw_data=…)``); `target` is ``#id``.

    By default the region itself is morphed, so that focus, open details and what was typed stay as they are.
    """
    return Markup('<hx-partial hx-target="{}" hx-swap="{}">{}</hx-partial>').format(target, swap, Markup(content))  # noqa: S704


def redirect(address: str) -> RedirectResponse:
    """Where to go after a form (303, so that a reload repeats nothing)."""
    return RedirectResponse(local_path(address), status_code=303)


def problem_page(request: Request, problem: Problem) -> Response:
    """An error as a page: what happened, which fields, and what to do; who is not signed in is sent to do so."""
    if isinstance(problem, NotSignedIn):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = "?" + urlencode({"next": here}) if request.method in {"GET", "HEAD"} and here != "/" else ""
        return redirect(f"/sign-in{back}")
    if isinstance(problem, StepUpNeeded):
        return redirect("/sign-in?" + urlencode({"again": "1", "next": _page_before(request)}))
    return render(
        request,
        "core/problem.html",
        status=problem.status,
        status_code=problem.status,
        title=i18n.gettext(problem.title),
        detail=problem.detail,
        errors=problem.errors,
        code=problem.code,
        back=_page_before(request) if request.method == "POST" and request.headers.get("referer") else "",
    )


def _page_before(request: Request) -> str:
    """The page from which a form was sent: what it was sent to cannot be opened."""
    parts = urlsplit(request.headers.get("referer", ""))
    return local_path(parts.path + (f"?{parts.query}" if parts.query else "")) if parts.path else "/"


def field_errors(problem: Problem) -> dict[str, str]:
    """The reasons by field, for a form that is shown again; a JSON pointer counts by its last part."""
    return {error.field.rsplit("/", 1)[-1]: i18n.pick(error.reason) for error in problem.errors}


router = APIRouter(include_in_schema=False)


@router.post("/preferences")
def keep_preferences(request: Request, fields: Fields = Depends(open_form)) -> RedirectResponse:
    """Keep the language and the theme in a cookie, and go back to the page."""
    answer = redirect(fields.text("next") or "/")
    secure = request.url.scheme == "https"
    chosen = {i18n.COOKIE: (fields.text("language"), i18n.LANGUAGES), THEME_COOKIE: (fields.text("theme"), THEMES)}
    for cookie, (value, known) in chosen.items():
        if value in known:
            answer.set_cookie(cookie, value, max_age=A_YEAR, httponly=True, secure=secure, samesite="lax")
    return answer


@router.get("/accessibility")
def accessibility(request: Request) -> HTMLResponse:
    """What we aim at, what we know to fall short, and where to report a barrier."""
    return render(request, "core/accessibility.html")


# Open to everybody: who cannot sign in must still be able to read and to choose a language.
keep_preferences.action = accessibility.action = None  # type: ignore[attr-defined]
