"""The ways on which clients and changes come to a side that is lost, as seen from the other one: are they shut?"""

import psycopg

from runners.contract import Context, EnvironmentPair, Measurement, Node, Observation, Seen, Side, Text
from runners.looking import SIDE_NAMES
from runners.postgres.connection import NotReached, connection
from runners.postgres.standing import one_line
from runners.switch.command import Command, CommandParams
from runners.switch.haproxy_socket import MAINTENANCE, NoAnswer, servers, sessions

RECEIVING = (
    "select pg_is_in_recovery(), (select status from pg_stat_wal_receiver), current_setting('primary_conninfo'),"
    " coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text"
)
SENDERS = (
    "select count(*) from pg_stat_replication r left join pg_replication_slots s on s.active_pid = r.pid"
    " where s.slot_name = %s"
)
SLOT = "select count(*) from pg_replication_slots where slot_name = %s"


def proxy_shut(pair: EnvironmentPair, side: Side, context: Context) -> Observation:
    """Whether the pair's HAProxy sends nobody to `side` and holds no session with it."""
    if pair.proxy is None:
        return _saw(Seen.UNKNOWN, "De omgeving noemt geen HAProxy.", "The environment names no HAProxy.")
    name = pair.proxy.server(side)
    try:
        state, held = servers(pair.proxy, context)[name], sessions(pair.proxy, context)[name]
    except (NoAnswer, KeyError) as error:
        said = f"{pair.proxy.socket}: {error}"
        return _saw(Seen.UNKNOWN, f"HAProxy is niet te bevragen, {said}", f"HAProxy cannot be asked, {said}")
    figure = Measurement(name="proxy_sessions", value=held)
    if not state.administrative & MAINTENANCE:
        nl, en = f"HAProxy stuurt nog gebruikers naar {name}.", f"HAProxy still sends users to {name}."
        return _saw(Seen.NOT_DONE, nl, en, figure)
    if held:
        nl, en = f"HAProxy houdt nog {held} sessies met {name}.", f"HAProxy still holds {held} sessions with {name}."
        return _saw(Seen.NOT_DONE, nl, en, figure)
    nl = f"HAProxy stuurt niemand naar {name} en houdt daar geen sessie mee."
    return _saw(Seen.DONE, nl, f"HAProxy sends nobody to {name} and holds no session with it.", figure)


def replication_shut(pair: EnvironmentPair, side: Side, context: Context) -> Observation:
    """Whether the node opposite to `side` receives nothing from it, and sends it nothing."""
    name, node = SIDE_NAMES[side.other], pair.node(side)
    try:
        link = connection(pair.node(side.other), context)
        row = link.execute(RECEIVING).fetchone()
        row = row if row is not None else (None, None, None, "")
        sends, slot = (_count(link, query, node) for query in (SENDERS, SLOT))
    except NotReached as error:
        return Observation(seen=Seen.UNKNOWN, reason=error.text)
    except psycopg.Error as error:
        nl, en = f"{name.nl.capitalize()} antwoordt niet", f"{name.en.capitalize()} does not answer"
        return _saw(Seen.UNKNOWN, f"{nl}: {one_line(error)}", f"{en}: {one_line(error)}")
    figures = (
        Measurement(name="receiver", value=str(row[1] or "none")),
        Measurement(name="received_lsn", value=str(row[3] or "")),
    )
    if row[1] is not None:
        nl = f"{name.nl.capitalize()} ontvangt nog wijzigingen ({row[1]})."
        return _saw(Seen.NOT_DONE, nl, f"{name.en.capitalize()} still receives changes ({row[1]}).", *figures)
    if row[0] and row[2]:
        nl = f"{name.nl.capitalize()} zoekt nog verbinding met de oude kant."
        return _saw(Seen.NOT_DONE, nl, f"{name.en.capitalize()} still tries to reach the old side.", *figures)
    if sends or slot:
        nl = f"De oude kant kan zich bij {name.nl} nog aanmelden als volger."
        return _saw(Seen.NOT_DONE, nl, f"The old side can still sign up with {name.en} as a follower.", *figures)
    nl = f"{name.nl.capitalize()} ontvangt niets van de oude kant en stuurt er niets heen."
    return _saw(
        Seen.DONE, nl, f"{name.en.capitalize()} receives nothing from the old side and sends it nothing.", *figures
    )


def network_cut(command: str, params: dict[str, str], context: Context) -> Observation:
    """Whether the site's own command that cuts the network says that it is cut."""
    return Command().observe(CommandParams(command=command, params=params), context)


def _count(link: "psycopg.Connection[tuple[object, ...]]", query: str, node: Node) -> int:
    if node.slot is None:
        return 0
    row = link.execute(query, [node.slot]).fetchone()
    return int(str(row[0])) if row else 0


def _saw(seen: Seen, nl: str, en: str, *figures: Measurement) -> Observation:
    return Observation(seen=seen, reason=Text(nl=nl, en=en), measurements=figures)
