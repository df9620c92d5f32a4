"""A page with every component, for the tests and for looking at: `uvicorn --factory` on `gallery:create`."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core import charts, web
from app.core.browser import Browser
from app.core.errors import FieldError, InvalidInput
from app.core.i18n import gettext as _
from app.core.messages import say
from app.core.month import month

PAGE = Path(__file__).with_name("gallery.html")
NOW = datetime(2026, 11, 23, 9, 2, 3, tzinfo=UTC)
STATES = ["never_tested", "paper_only", "partially_proven", "proven", "overdue", "stale", "failed", "draft", "no_plan"]


@dataclass
class Anna:
    name: str = "Anna de Vries"


@dataclass
class SignedIn:
    actor: Anna = field(default_factory=Anna)
    csrf: str = "a-token-of-this-session"
    language: str = "nl"
    is_proved: bool = True


@dataclass
class Item:
    label: str
    href: str
    tone: str


class Anyone:
    """Stands where the access domain stands: everybody is Anna."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["visitor"] = SignedIn()
        await self.app(scope, receive, send)


def coverage() -> charts.Chart:
    rows = {
        "Alle diensten": (6, 8, 9, 4, 15, 4),
        "Burgerzaken": (0, 2, 2, 0, 5, 2),
        "Sociaal domein": (1, 3, 2, 0, 4, 1),
    }
    names = ("0 niets", "1 gelezen", "2 doorgesproken", "3 deel getest", "4 hele keten", "5 echt")
    bars = [
        charts.Bar(
            label,
            tuple(
                charts.Part(name, count, level) for level, (name, count) in enumerate(zip(names, counts, strict=True))
            ),
        )
        for label, counts in rows.items()
    ]
    return charts.stacked_bars("Dekking naar zekerheid", bars)


def matrix() -> charts.Chart:
    return charts.risk_matrix(
        "Risicomatrix",
        [
            charts.Placed("BEV-003", "Back-up blijkt beschadigd", ("high", "easy"), ("low", "easy")),
            charts.Placed("BEV-004", "Beide kanten bij één leverancier", ("high", "hard"), ("high", "easy")),
            charts.Placed("BEV-007", "Escrow-depot mist een pakket", ("low", "hard"), ("low", "easy")),
            charts.Placed("BEV-009", "Contactgegevens zijn oud", ("low", "easy")),
        ],
    )


def context() -> dict:
    points = [
        (NOW - timedelta(days=90 * (7 - index)), value * 60)
        for index, value in enumerate((259, 248, 215, 190, 176, 182, 168))
    ]
    planned = [300, 720, 1200, 2400, 2880, 3600, 5100, 6600, 9000, 9900]
    steps = [
        charts.StepMark(f"Stap {index + 1}", end, actual)
        for index, (end, actual) in enumerate(zip(planned, [240, 600, 1140, 2820, 3300, *[None] * 5], strict=True))
    ]
    spans = [
        charts.Span("Oude kant afsluiten", 0, 62, "positive"),
        charts.Span("Laatste gegevens overnemen", 62, 410, "warning"),
        charts.Span("Verkeer omzetten", 410, None, "info"),
    ]
    items = {
        date(2026, 11, 5): [Item("Doorspreken", "/drills/1", "info")],
        date(2026, 11, 11): [Item("Herstel", "/drills/2", "positive")],
        date(2026, 11, 23): [Item("Wissel", "/drills/3", "info")],
        date(2026, 11, 25): [Item("Stop", "/drills/4", "negative")],
    }
    broken = InvalidInput("x", errors=[FieldError("/name", "missing", say("Give the service a name."))])
    return {
        "coverage": coverage(),
        "matrix": matrix(),
        "line": charts.measured_line("Hersteltijd Burgerzaken", points, goal=180 * 60),
        "burn": charts.burn_down("Resterende stappen", steps, now=3723, goal=10800),
        "gantt": charts.gantt("Stappen in de tijd", spans, now=700),
        "rto": charts.goal_bar("Tijd tegen het doel", used=3723, forecast=10320, goal=10800),
        "calendar": month(2026, 11, items, today=date(2026, 11, 23)),
        "errors": web.field_errors(broken),
        "log": [(NOW, "haproxy: zone burgerzaken, 2 van 3 zien nieuw adres <script>alert(1)</script>")] * 9,
        "timeline": timeline(),
        "plan_states": STATES,
    }


def timeline() -> list[dict]:
    rows = [
        ("Oude kant afsluiten", "Klaar", "positive", "check", "0:04", False),
        ("Laatste gegevens overnemen", "Klaar, met waarschuwing", "warning", "triangle-alert", "0:47", False),
        ("Verkeer omzetten naar de uitwijk", "Bezig", "info", "play", "1:00", True),
        ("Werkt de dienst?", "Niet begonnen", "neutral", "circle", "", False),
    ]
    return [
        {
            "id": index,
            "title": title,
            "state": state,
            "note": "postgres.fence",
            "tone": tone,
            "symbol": symbol,
            "took": took,
            "plan": "0:40",
            "current": current,
            "body": "",
        }
        for index, (title, state, tone, symbol, took, current) in enumerate(rows)
    ]


def create() -> FastAPI:
    app = FastAPI(version="0.1.0")
    app.include_router(web.router)
    app.mount("/static", web.Files(directory=web.STATIC))

    @app.get("/gallery")
    def gallery(request: Request) -> HTMLResponse:
        page = web.environment().from_string(PAGE.read_text())
        return HTMLResponse(page.render({**web.shared(request), **context(), "section": "runs"}))

    @app.get("/problem")
    def problem(request: Request) -> HTMLResponse:
        return web.problem_page(
            request,
            InvalidInput(say("A field is wrong."), errors=[FieldError("name", "missing", say("Give it a name."))]),
        )

    @app.get("/stream", response_class=EventSourceResponse)
    async def stream(request: Request):
        yield ServerSentEvent(
            raw_data=web.partial("#live", f'<p id="live">{_("running")}: <b>via de stroom</b></p>'), id="1"
        )

    app.add_middleware(Browser)
    app.add_middleware(Anyone)
    return app
