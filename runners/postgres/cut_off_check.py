"""Proves from our own side that a lost side is cut off, and says what cannot be seen from here."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from runners.contract import (
    Context,
    EnvironmentPair,
    Evidence,
    Fact,
    Frozen,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Seen,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import Looking
from runners.origins import NotAnswered, UrlRefused, allowed_address, connect
from runners.postgres.connection import NotReached, Port, port, shown
from runners.postgres.folder import MARGIN
from runners.postgres.paths import network_cut, proxy_shut, replication_shut
from runners.postgres.standing import writable_now
from runners.switch.command import NAME

ONE_LOOK = 1.0
"""Seconds that one attempt at the lost side's address may take."""


class CheckCutOffParams(Frozen):
    """Looks several times whether one side is cut off, from the other one.

    Proves: each attempt at its address from here was refused or met silence; HAProxy sends nobody there and holds no
    session with it; the side that stays receives nothing from it and sends it nothing; the site's command, where one
    is given, says that the network is cut; `witness`, where one is given, answers, so it is not we who are cut off.
    Cannot see: clients that reach the lost side by other ways, such as users in its own building; they may write
    there still, and those writes are lost. A dead side and one that is only cut off look the same from here. So
    people decide on this evidence before the other side is promoted.
    Needs: to run at the site that stays, with the dsn of both sides; `witness` on the site's list (`tcp`).
    Bad input: an answer from the lost side, a session, a stream is *failed*; whatever cannot be looked at is *could
    not look*. Neither is ever *cut off*.
    """

    pair: EnvironmentPair
    node: Side
    """The side that is lost."""
    command: Annotated[str, Field(pattern=f"^({NAME})?$")] = ""
    """The command that `postgres.cut-off` ran; its `observe` is asked."""
    params: dict[str, str] = {}
    witness: str = ""
    """``host:port`` of somebody else that must answer from here; empty: nobody is asked."""
    looks: Annotated[int, Field(ge=2, le=100)] = 5
    apart: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(milliseconds=500)


class CheckCutOff(Looking):
    """``postgres.check-cut-off``: provides ``fenced`` of the lost side, seen from the side that stays."""

    name = "postgres.check-cut-off"
    Params = CheckCutOffParams
    provides = (Fact(kind="fenced"),)
    probe = True
    dsns = ("node", "other")

    def site(self, params: CheckCutOffParams) -> str | None:
        """The site that stays."""
        return params.pair.node(params.node.other).site

    def preview(self, params: CheckCutOffParams, context: Context) -> Preview:
        """Every look."""
        lost, stays, proxy = params.pair.node(params.node), params.pair.node(params.node.other), params.pair.proxy
        calls = (
            f"connect to the address in {lost.dsn}, {params.looks} times",
            *((f"{proxy.socket}: show servers state; show stat",) if proxy else ()),
            shown(stays, "SELECT … FROM pg_stat_wal_receiver; SELECT … FROM pg_stat_replication"),
            *((f"connect {params.witness}",) if params.witness else ()),
        )
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckCutOffParams, context: Context) -> Outcome:
        """Look `looks` times; one contradiction is enough to say no, one gap is enough not to say yes."""
        lines: list[str] = []
        found: list[Observation] = []
        last: dict[str, Measurement] = {}
        for number in range(params.looks):
            if number:
                time.sleep(min(params.apart.total_seconds(), max(0.0, context.remaining() - MARGIN)))
            for name, look in _round(params, context).items():
                lines.append(f"{datetime.now(UTC).isoformat()} {name}: {look.seen}: {look.reason.en}")
                found.append(look)
                last |= {each.name: each for each in look.measurements}
            if any(each.seen is Seen.NOT_DONE for each in found) or context.remaining() <= MARGIN:
                break
        (context.evidence / "cut-off.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        figures = (*last.values(), Measurement(name="looks", value=number + 1))
        return _judged(params, found, figures, complete=number + 1 == params.looks)


def _judged(
    params: CheckCutOffParams, found: list[Observation], figures: tuple[Measurement, ...], *, complete: bool
) -> Outcome:
    evidence = (Evidence(path="cut-off.txt", title="What was seen from this side"),)
    for seen, answer in ((Seen.NOT_DONE, failed), (Seen.UNKNOWN, could_not_look)):
        for each in found:
            if each.seen is seen:
                nl = f"{each.reason.nl} De oude kant geldt niet als afgesneden."
                en = f"{each.reason.en} The old side does not count as cut off."
                return answer(nl, en, *figures, evidence=evidence)
    if not complete:
        nl = "De tijd was om voordat vaak genoeg was gekeken."
        return could_not_look(nl, "The time was up before it was looked at often enough.", *figures, evidence=evidence)
    nl = f"De oude kant is vanaf hier afgesneden ({params.looks} keer gekeken)."
    en = f"The old side is cut off as seen from here ({params.looks} looks)."
    silent = any(each.name == "address" and each.value == Port.SILENT for each in figures)
    if silent and not params.witness:
        nl += " Zij zwijgt; dat kan ook aan ons eigen netwerk liggen."
        en += " It is silent; that may be our own network as well."
    nl += " Wie haar langs een andere weg bereikt, is hier niet te zien."
    en += " Who reaches it by another way cannot be seen here."
    return passed(nl, en, *figures, evidence=evidence, effective_at=datetime.now(UTC))


def _round(params: CheckCutOffParams, context: Context) -> dict[str, Observation]:
    looks = {
        "address": _address(params, context),
        "replication": replication_shut(params.pair, params.node, context),
    }
    if params.pair.proxy is not None or not params.command:
        looks["proxy"] = proxy_shut(params.pair, params.node, context)
    if params.command:
        looks["command"] = network_cut(params.command, params.params, context)
    if params.witness:
        looks["witness"] = _witness(params.witness, context)
    return looks


def _address(params: CheckCutOffParams, context: Context) -> Observation:
    try:
        seen, where = port(params.pair.node(params.node), context, ONE_LOOK)
    except NotReached as error:
        return Observation(seen=Seen.UNKNOWN, reason=error.text)
    figures: tuple[Measurement, ...] = (
        Measurement(name="address", value=seen.value),
        Measurement(name="reachable", value=seen is Port.LISTENS),
    )
    if seen is Port.LISTENS:
        writes = writable_now(params.pair, params.node, context).seen is Seen.DONE
        nl = f"De oude kant antwoordt op {where}" + (" en neemt wijzigingen aan." if writes else ".")
        en = f"The old side answers at {where}" + (" and takes writes." if writes else ".")
        figures = (*figures, Measurement(name="takes_writes", value=writes))
        return Observation(seen=Seen.NOT_DONE, reason=Text(nl=nl, en=en), measurements=figures)
    if seen is Port.UNKNOWN:
        nl = f"Of {where} antwoordt, is niet te zien: van hier gaat er geen weg heen of de naam is onbekend."
        en = f"Whether {where} answers cannot be seen: no way leads there from here, or the name is unknown."
        return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl, en=en), measurements=figures)
    nl, en = ("weigert", "refuses") if seen is Port.REFUSES else ("zwijgt", "is silent")
    return Observation(seen=Seen.DONE, reason=Text(nl=f"{where} {nl}.", en=f"{where} {en}."), measurements=figures)


def _witness(address: str, context: Context) -> Observation:
    try:
        connect(allowed_address(address, context.policy.tcp), min(ONE_LOOK, max(0.1, context.remaining()))).close()
    except (UrlRefused, NotAnswered) as error:
        nl = f"Ook {address} antwoordt niet ({error}); misschien zijn wij zelf afgesneden."
        en = f"{address} does not answer either ({error}); perhaps it is we who are cut off."
        return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl, en=en))
    return Observation(seen=Seen.DONE, reason=Text(nl=f"{address} antwoordt.", en=f"{address} answers."))
