"""Which secrets a drill needs at which site, and what the workers there say about them; never a value.

Only a worker can look, for the values stay at its site: it writes down which names it holds (`SiteSecrets`), and here
that is read. So what is missing is told before anything is started, and a site that says nothing is *could not look*.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlmodel import Field, Session, SQLModel, col, delete, select

from app.catalog.models import Environment, EnvironmentPair, Site
from app.core.columns import document, moment
from app.core.messages import Message, say
from app.drills.models import Drill
from app.drills.where import ValueMissing, known, site_of
from app.playbooks.models import PlaybookVersion
from app.playbooks.references import Unresolved
from app.playbooks.rules import Playbook, Step
from runners.contract import EnvironmentPair as Pair
from runners.contract import Registry, Runner, Side
from runners.secrets import Why, references, words

STOPS = frozenset({"secret-missing", "secret-store-unavailable"})
"""Lacks with which no drill is started. A site whose worker is silent stops none: its steps then say so themselves."""
FRESH_FOR = timedelta(seconds=120)
"""For how long it counts what a worker wrote; it writes it anew each half minute."""
EVERY_SITE = "*"


class SiteSecrets(SQLModel, table=True):
    """What one worker process says of the secrets at its sites: names, and whether it holds them."""

    __tablename__ = "site_secrets"
    boot_id: str = Field(primary_key=True, max_length=36)
    sites: str
    """Comma-separated names; ``*`` = all."""
    looked_at: datetime = moment()
    found: dict[str, Any] = document()
    """Name → source, why it has none, and further sources that are not used."""
    commands: dict[str, Any] = document()
    """Command of the site's list → names of the secrets in its environment."""


class Held(StrEnum):
    """Whether a site holds a secret; as everywhere, not having looked is no yes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Need:
    """A secret that a step can't do without, and the site that must hold it."""

    step: str
    site: str
    name: str


@dataclass(frozen=True)
class Standing:
    """A need, and whether it is met."""

    need: Need
    held: Held
    why: Why | None = None


def standings(
    session: Session, playbook: Playbook, values: Mapping[str, Any], *, registry: Registry, now: datetime
) -> list[Standing]:
    """Every need of the steps and guards of `playbook`, with what the workers of its site say."""
    rows = [row for row in session.exec(select(SiteSecrets)) if abs(now - row.looked_at) <= FRESH_FOR]
    found: dict[Need, Standing] = {}
    for step in _acting(playbook):
        runner = registry.get(step.uses or "")
        if runner is None:
            continue
        try:
            params = known(step.with_, dict(values))
            site = site_of(step, runner, params, playbook, dict(values))
        except (Unresolved, ValueMissing, KeyError):
            continue  # told as a lack of its own
        here = [row for row in rows if {site, EVERY_SITE} & set(row.sites.split(","))]
        for name in sorted(_names(runner, params, here)):
            need = Need(step.id, site, name)
            found[need] = _standing(need, here)
    return list(found.values())


def lacks(found: Iterable[Standing]) -> list[tuple[str, str, Message]]:
    """What of it stands in the way, a sentence for each name at a site."""
    told: dict[tuple[str, str, Held, Why | None], list[str]] = defaultdict(list)
    for each in found:
        if each.held is not Held.YES:
            told[each.need.site, each.need.name, each.held, each.why].append(each.need.step)
    return [_lack(site, name, held, why, ", ".join(steps)) for (site, name, held, why), steps in told.items()]


def wanted(session: Session, sites: frozenset[str] | None) -> set[str]:
    """The names that drills may need at these sites, to be looked for; `sites` None: every site."""
    drills = session.exec(select(Drill.inputs, Drill.playbook_id).where(col(Drill.archived_at).is_(None))).all()
    books = select(PlaybookVersion.content).where(col(PlaybookVersion.id).in_({book for _, book in drills}))
    texts: list[Any] = [[inputs for inputs, _ in drills], list(session.exec(books)), _drivers(session, sites)]
    return {reference.removeprefix("secret://") for reference in references(texts)}


def write(session: Session, row: SiteSecrets) -> None:
    """Keep what a worker says now; what others said long ago is dropped."""
    session.exec(delete(SiteSecrets).where(col(SiteSecrets.looked_at) < row.looked_at - 10 * FRESH_FOR))
    session.merge(row)


def forget(session: Session, boot_id: str) -> None:
    """A worker stops: it can say nothing more."""
    session.exec(delete(SiteSecrets).where(col(SiteSecrets.boot_id) == boot_id))


def _acting(playbook: Playbook) -> Iterable[Step]:
    for step in playbook.steps:
        if step.uses is not None:
            yield step
        if step.undo is not None:
            yield step.model_copy(update={"uses": step.undo.uses, "with_": step.undo.with_})
    for guard in playbook.guards:
        yield Step(id=guard.id, uses=guard.uses, with_=guard.with_)


def _names(runner: Runner, params: Mapping[str, Any], here: Iterable[SiteSecrets]) -> set[str]:
    """What stands in the parameters, what of a pair the runner says that it needs, and what its command gets."""
    found = references(params)
    for pair in (value for value in params.values() if isinstance(value, Pair)):
        sides = {name: Side(value) for name, value in params.items() if isinstance(value, str) and value in (*Side,)}
        if "node" in sides:
            sides["other"] = sides["node"].other
        found |= {dsn for name in runner.dsns if name in sides and (dsn := pair.node(sides[name]).dsn)}
    command = params.get("command")
    own = {name for row in here for name in row.commands.get(str(command), ())}
    return {reference.removeprefix("secret://") for reference in found} | own


def _standing(need: Need, here: Iterable[SiteSecrets]) -> Standing:
    """The worst that a worker of the site says: the step may come to any of them."""
    said = [row.found[need.name] for row in here if need.name in row.found]
    whys = [Why(each["why"]) for each in said if each["why"]]
    if refused := next((why for why in whys if not why.could_not_look), None):
        return Standing(need, Held.NO, refused)
    if whys or not said:
        return Standing(need, Held.UNKNOWN, whys[0] if whys else None)
    return Standing(need, Held.YES)


def _lack(site: str, name: str, held: Held, why: Why | None, steps: str) -> tuple[str, str, Message]:
    if held is Held.NO:
        reason = say(
            "Site {site} can't give out secret '{name}', which is needed by: {steps}. The reason: {why}.",
            site=site,
            name=name,
            steps=steps,
            why=words(why or Why.MISSING),
        )
        return "secret-missing", f"secrets/{name}", reason
    if why is not None:
        reason = say(
            "Could not look whether site {site} holds secret '{name}', which is needed by: {steps}. The reason: {why}.",
            site=site,
            name=name,
            steps=steps,
            why=words(why),
        )
        return "secret-store-unavailable", f"secrets/{name}", reason
    reason = say(
        "Could not look whether site {site} holds secret '{name}', which is needed by: {steps}. "
        "No worker of that site has said anything yet.",
        site=site,
        name=name,
        steps=steps,
    )
    return "secret-not-seen", f"secrets/{name}", reason


def _drivers(session: Session, sites: frozenset[str] | None) -> list[Any]:
    """How the environments are reached of each pair that has one at these sites: a side may need the other's."""
    rows = {row.id: row for row in session.exec(select(Environment))}
    names = {row.id: row.name for row in session.exec(select(Site))}
    found: list[Any] = []
    for pair in session.exec(select(EnvironmentPair).where(col(EnvironmentPair.archived_at).is_(None))):
        both = [rows[key] for key in (pair.primary_id, pair.fallback_id) if key in rows]
        if sites is None or sites & {names.get(each.site_id, "") for each in both}:
            found += [each.driver for each in both]
    return found
