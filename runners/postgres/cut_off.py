"""Shuts every way of ours to a side that is lost: what stands in for its fence when nobody can reach that side."""

import time
from datetime import UTC, datetime
from typing import Annotated

import psycopg
from pydantic import Field

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
    Verdict,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES
from runners.postgres import token
from runners.postgres.connection import Connection, NotReached, connection, conninfo, shown, upstream_conninfo
from runners.postgres.folder import MARGIN, NoFolder, folder
from runners.postgres.paths import network_cut, proxy_shut, replication_shut
from runners.postgres.standing import one_line
from runners.switch import haproxy_socket
from runners.switch.command import NAME, Command, CommandParams
from runners.switch.haproxy_socket import NoAnswer, ask, servers

POLL = 0.02
_SLOT = "select active_pid from pg_replication_slots where slot_name = %s"


class CutOffParams(Frozen):
    """Cuts one side off, from the other one: the way of the users to it, and the replication both ways.

    HAProxy gets the lost side's server in maintenance and ends its sessions; the other side forgets where to receive
    from, ends what it sends to the lost side and drops its slot; `command` cuts the network, where the site has one.

    Proves: that all of this was done here. What came of it is for `postgres.check-cut-off` to prove.
    Cannot see: the lost side itself. Whoever reaches it by another way can still write there.
    Needs: HAProxy in the environment, or a `command` on the site's list with an `observe`; the dsn of both sides, with
    rights to change settings on the side that stays.
    Bad input: a side that stays and cannot be reached, no way that we know to be shut, a command that is not on the
    list or fails: *failed* or *could not look*, and then this side is not cut off.
    """

    pair: EnvironmentPair
    node: Side
    """The side that is lost."""
    command: Annotated[str, Field(pattern=f"^({NAME})?$")] = ""
    """Name of a command on the list of the site that stays; empty: none."""
    params: dict[str, str] = {}


class CutOff(Runner):
    """``postgres.cut-off``: observable. The undo opens the same ways again, in the opposite order."""

    name = "postgres.cut-off"
    Params = CutOffParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.TARGET
    dsns = ("node", "other")

    def site(self, params: CutOffParams) -> str | None:
        """The site that stays: the lost one cannot be asked for anything."""
        return params.pair.node(params.node.other).site

    def preview(self, params: CutOffParams, context: Context) -> Preview:
        """The order to HAProxy, the settings, and the site's command."""
        stays, name = params.pair.node(params.node.other), SIDE_NAMES[params.node]
        proxy = params.pair.proxy
        calls = (
            *((f"{proxy.socket}: {line}" for line in _closing(proxy, params.node)) if proxy else ()),
            shown(stays, "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()"),
            shown(stays, f"SELECT pg_drop_replication_slot('{params.pair.node(params.node).slot}')"),
            *((f"command {params.command}",) if params.command else ()),
        )
        return Preview(
            calls=calls,
            changes=Text(nl=f"Snijdt {name.nl} af van onze kant.", en=f"Cuts {name.en} off from our side."),
            undo=Text(nl="Opent dezelfde wegen weer.", en="Opens the same ways again."),
        )

    def observe(self, params: CutOffParams, context: Context) -> Observation:
        """Done when each way is seen to be shut."""
        looks = [replication_shut(params.pair, params.node, context)]
        if params.pair.proxy is not None:
            looks.append(proxy_shut(params.pair, params.node, context))
        if params.command:
            looks.append(network_cut(params.command, params.params, context))
        if params.pair.proxy is None and not params.command:
            return Observation(seen=Seen.UNKNOWN, reason=_NO_WAY)
        for seen in (Seen.NOT_DONE, Seen.UNKNOWN):
            for look in looks:
                if look.seen is seen:
                    return look
        text = Text(nl="De wegen van onze kant zijn dicht.", en="The ways of our side are shut.")
        return Observation(seen=Seen.DONE, reason=text)

    def run(self, params: CutOffParams, context: Context) -> Outcome:
        """Users first, so that no more is written there by our way; then the network, then the replication."""
        if params.pair.proxy is None and not params.command:
            return could_not_look(_NO_WAY.nl, _NO_WAY.en)
        started = time.monotonic()
        stays = params.pair.node(params.node.other)
        try:
            if (old := _refused(params, context)) is not None:
                return old
            link = connection(stays, context)  # nothing is shut where nobody could take over
            _shut_proxy(params, context)
            if (newer := _overtaken(params, context)) is not None:
                return newer
            moment = datetime.now(UTC)
            if params.command and (refused := _cut_network(params, context)) is not None:
                return refused
            _shut_replication(link, params, context)
        except NotReached as error:
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en)
        except NoAnswer as error:
            nl, en = f"HAProxy deed het niet: {error}", f"HAProxy did not do it: {error}"
            return failed(nl, en)
        except psycopg.Error as error:
            nl, en = "De replicatie is niet afgesloten", "The replication was not shut"
            return failed(f"{nl}: {one_line(error)}", f"{en}: {one_line(error)}")
        return self._wait(params, context, started, moment)

    def _wait(self, params: CutOffParams, context: Context, started: float, moment: datetime) -> Outcome:
        seen = self.observe(params, context)
        while seen.seen is not Seen.DONE and context.remaining() > MARGIN:
            time.sleep(POLL)
            seen = self.observe(params, context)
        figures = (
            Measurement(name="cut_at", value=moment.isoformat()),
            Measurement(name="cut_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms"),
        )
        if seen.seen is not Seen.DONE:
            answer = failed if seen.seen is Seen.NOT_DONE else could_not_look
            return answer(seen.reason.nl, seen.reason.en, *figures, *seen.measurements)
        return passed(seen.reason.nl, seen.reason.en, *figures, effective_at=moment)

    def undo(self, params: CutOffParams, context: Context) -> Outcome:
        """Receive again, reach it again, send the users there again; only where the side that stays is a standby."""
        stays, lost = params.pair.node(params.node.other), params.pair.node(params.node)
        try:
            if (old := _refused(params, context)) is not None:
                return old
            link = connection(stays, context)
            if link.execute("select pg_is_in_recovery()").fetchone() != (True,):
                nl = "De andere kant is geen standby meer; er is niets geopend."
                return failed(nl, "The other side is no longer a standby; nothing was opened.")
            above = upstream_conninfo(conninfo(lost, context), stays.slot)
            folder(stays).set_automatically({"primary_conninfo": above})
            link.execute("select pg_reload_conf()")
            if params.command:
                undone = Command().undo(CommandParams(command=params.command, params=params.params), context)
                if undone.verdict is not Verdict.PASSED:
                    return undone
            _open_proxy(params, context)
            if (newer := _overtaken(params, context)) is not None:
                return newer
        except (NotReached, NoFolder) as error:
            return could_not_look(error.text.nl, error.text.en)
        except (NoAnswer, psycopg.Error, OSError) as error:
            nl, en = f"Openen mislukte: {one_line(error)}", f"Opening failed: {one_line(error)}"
            return failed(nl, en)
        return passed("De wegen zijn weer open.", "The ways are open again.", effective_at=datetime.now(UTC))


def _refused(params: CutOffParams, context: Context) -> Outcome | None:
    """What says, of all that is changed here, that somebody else is at it since. Raises `NoAnswer`."""
    if (old := token.refused(params.pair.node(params.node.other), context)) is not None:
        return old
    return haproxy_socket.refused(params.pair.proxy, context) if params.pair.proxy is not None else None


def _overtaken(params: CutOffParams, context: Context) -> Outcome | None:
    """What says that an order to the proxy crossed with one of a newer token. Raises `NoAnswer`."""
    return haproxy_socket.overtaken(params.pair.proxy, context) if params.pair.proxy is not None else None


def _closing(proxy: Proxy, side: Side) -> tuple[str, ...]:
    server = f"{proxy.backend}/{proxy.server(side)}"
    return f"set server {server} state maint", f"shutdown sessions server {server}"


def _shut_proxy(params: CutOffParams, context: Context) -> None:
    proxy = params.pair.proxy
    if proxy is None:
        return
    if proxy.server(params.node) not in servers(proxy, context):
        raise NoAnswer(f"backend {proxy.backend} has no server {proxy.server(params.node)}")
    said = ask(proxy, "; ".join(_closing(proxy, params.node)), context)
    if said:  # success is silent
        raise NoAnswer(" ".join(said.split())[:200])


def _open_proxy(params: CutOffParams, context: Context) -> None:
    proxy = params.pair.proxy
    if proxy is None:
        return
    said = ask(proxy, f"set server {proxy.backend}/{proxy.server(params.node)} state ready", context)
    if said:
        raise NoAnswer(" ".join(said.split())[:200])


def _cut_network(params: CutOffParams, context: Context) -> Outcome | None:
    done = Command().run(CommandParams(command=params.command, params=params.params), context)
    return None if done.verdict is Verdict.PASSED else done


def _shut_replication(link: Connection, params: CutOffParams, context: Context) -> None:
    if link.execute("select current_setting('primary_conninfo')").fetchone() != ("",):
        link.execute("alter system set primary_conninfo = ''")
        link.execute("select pg_reload_conf()")
    slot = params.pair.node(params.node).slot
    row = link.execute(_SLOT, [slot]).fetchone() if slot else None
    while row is not None:
        if row[0] is not None:
            link.execute("select pg_terminate_backend(%s, 1000)", row)
        else:
            link.execute("select pg_drop_replication_slot(%s)", [slot])
        row = link.execute(_SLOT, [slot]).fetchone() if context.remaining() > MARGIN else None


_NO_WAY = Text(
    nl="De omgeving noemt geen HAProxy en er is geen opdracht gegeven; hier is geen weg bekend die dicht kan.",
    en="The environment names no HAProxy and no command was given; no way is known here that could be shut.",
)
