"""Moves users to one side by HAProxy's runtime socket, without a reload."""

import re
import time
from datetime import UTC, datetime

from runners.contract import (
    Context,
    Effect,
    EnvironmentPair,
    Fencing,
    Frozen,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Proxy,
    Repeat,
    Runner,
    Seen,
    Side,
    Text,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES
from runners.switch.haproxy_socket import MAINTENANCE, MARGIN, OUT, RUNNING, NoAnswer, ask, overtaken, refused, servers

POLL = 0.002
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


class HaproxyParams(Frozen):
    """Sends all users to one side: the other server goes into maintenance, its sessions are ended.

    Proves: HAProxy itself says that only this side's server takes traffic.
    Cannot see: users who reach a side around HAProxy; and a restart of HAProxy forgets the move, unless it is
    configured to load its server state. It then forgets the fencing token too, which it holds in a variable of its own
    per backend; from then on the lease of the site's worker must do. The token is read right before the move and right
    after it: an order that crossed with one of a newer token went out, and is *failed* with that reason. It is not
    taken back, for nobody knows which of the two came last: a person or the next probe looks who gets the users.
    Needs: a runtime socket of level admin that the worker may open, and one server line for each side.
    Bad input: no proxy in the environment, an unknown backend or server, a socket without admin rights or without
    an answer is *failed* with that reason, and users stay where they were.
    """

    pair: EnvironmentPair
    to: Side


class Haproxy(Runner):
    """``switch.haproxy``: runtime API only; moves within milliseconds. Observable; the undo moves users back."""

    name = "switch.haproxy"
    Params = HaproxyParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.TARGET

    def preview(self, params: HaproxyParams, context: Context) -> Preview:
        """The commands, as they go over the socket."""
        proxy, name = params.pair.proxy, SIDE_NAMES[params.to]
        calls = tuple(f"{proxy.socket}: {line}" for line in _commands(proxy, params.to)) if proxy else ()
        return Preview(
            calls=calls,
            changes=Text(nl=f"Stuurt alle gebruikers naar {name.nl}.", en=f"Sends all users to {name.en}."),
            undo=Text(nl="Stuurt alle gebruikers terug.", en="Sends all users back."),
        )

    def observe(self, params: HaproxyParams, context: Context) -> Observation:
        """Done when the wanted server takes traffic and the other one is in maintenance."""
        if params.pair.proxy is None:
            return Observation(seen=Seen.UNKNOWN, reason=_NO_PROXY)
        try:
            return _look(params.pair.proxy, params.to, context)
        except NoAnswer as error:
            return Observation(seen=Seen.UNKNOWN, reason=_unanswered(params.pair.proxy, error))

    def run(self, params: HaproxyParams, context: Context) -> Outcome:
        """Move users to `to` and wait until HAProxy says so."""
        return _move(params, params.to, context)

    def undo(self, params: HaproxyParams, context: Context) -> Outcome:
        """Move users to the other side."""
        return _move(params, params.to.other, context)


def _move(params: HaproxyParams, to: Side, context: Context) -> Outcome:
    proxy = params.pair.proxy
    if proxy is None:
        return failed(_NO_PROXY.nl, _NO_PROXY.en)
    started = time.monotonic()
    try:
        _look(proxy, to, context)  # both servers must be known before the first is taken out
        if (old := refused(proxy, context)) is not None:
            return old
        # One line, so that a lost connection cannot leave the old side out and the new one not yet in.
        said = ask(proxy, "; ".join(_commands(proxy, to)), context)
        if said:  # success is silent
            raise NoAnswer(" ".join(said.split())[:200])
        if (newer := overtaken(proxy, context)) is not None:
            return newer
        seen = _look(proxy, to, context)
        while seen.seen is not Seen.DONE and context.remaining() > MARGIN:
            time.sleep(POLL)
            seen = _look(proxy, to, context)
    except NoAnswer as error:
        text = _unanswered(proxy, error)
        return failed(text.nl, text.en)
    if seen.seen is not Seen.DONE:
        return failed(seen.reason.nl, seen.reason.en)
    took = Measurement(name="moved_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms")
    return passed(seen.reason.nl, seen.reason.en, took, effective_at=datetime.now(UTC))


def _commands(proxy: Proxy, to: Side) -> tuple[str, ...]:
    new, old = f"{proxy.backend}/{proxy.server(to)}", f"{proxy.backend}/{proxy.server(to.other)}"
    # The old one first: for some microseconds nobody serves, but never do both, which a single writer cannot bear.
    return (
        f"set server {old} state maint",
        f"set server {new} state ready",
        f"shutdown sessions server {old}",
    )


def _look(proxy: Proxy, to: Side, context: Context) -> Observation:
    if not all(_NAME.fullmatch(name) for name in (proxy.backend, proxy.primary, proxy.fallback)):
        raise NoAnswer("the name of the backend or of a server holds a character that HAProxy does not allow")
    found = servers(proxy, context)
    try:
        new, old = found[proxy.server(to)], found[proxy.server(to.other)]
    except KeyError as error:
        raise NoAnswer(f"backend {proxy.backend} has no server {error}") from None
    name = SIDE_NAMES[to]
    if new.operational == RUNNING and not new.administrative & OUT and old.administrative & MAINTENANCE:
        text = Text(nl=f"HAProxy stuurt alles naar {name.nl}.", en=f"HAProxy sends everything to {name.en}.")
        return Observation(seen=Seen.DONE, reason=text)
    if not new.administrative & OUT and old.administrative & MAINTENANCE:
        nl = f"HAProxy stuurt naar {name.nl}, maar ziet daar geen werkende dienst."
        text = Text(nl=nl, en=f"HAProxy sends to {name.en}, but sees no working service there.")
        return Observation(seen=Seen.NOT_DONE, reason=text)
    nl, en = f"HAProxy stuurt niet alles naar {name.nl}.", f"HAProxy does not send everything to {name.en}."
    return Observation(seen=Seen.NOT_DONE, reason=Text(nl=nl, en=en))


def _unanswered(proxy: Proxy, error: NoAnswer) -> Text:
    nl = f"HAProxy deed niet wat gevraagd werd via {proxy.socket}: {error}"
    return Text(nl=nl, en=f"HAProxy did not do what was asked through {proxy.socket}: {error}")


_NO_PROXY = Text(nl="De omgeving noemt geen HAProxy.", en="The environment names no HAProxy.")
