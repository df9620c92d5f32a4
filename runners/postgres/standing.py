"""What can be proven of one node: that it is fenced, that it is no primary, that it takes writes."""

import ipaddress

import psycopg

from runners.contract import Context, EnvironmentPair, Measurement, Node, Observation, Seen, Side, Text
from runners.looking import SIDE_NAMES
from runners.postgres import canary
from runners.postgres.connection import NotReached, Port, connection, conninfo, endpoints, port
from runners.postgres.folder import SIGNAL, Folder, NoFolder, ProgramFailed, folder


def standing(node: Node, context: Context) -> Observation:
    """Whether `node` provably takes no writes: every process of it is gone *and* its port refuses.

    Measurements: `final_lsn` (start of the last checkpoint), `restart_is_safe` (the fence survives a restart), and
    `canary` where a fence left it. A silent port, an unreadable folder or somebody else's processes are *unknown*.
    """
    try:
        seen, where = port(node, context)
        if seen is Port.LISTENS:
            return _saw(Seen.NOT_DONE, f"Er luistert nog iets op {where}.", f"Something still listens at {where}.")
        place = folder(node)
        if not place.may_look():
            return _saw(Seen.UNKNOWN, *_NOT_OWNER)
        left = place.processes()
        if left:
            nl = f"Er draaien nog processen van deze database ({left[0]})."
            return _saw(Seen.NOT_DONE, nl, f"Processes of this database are still running ({left[0]}).")
        if seen is not Port.REFUSES:
            nl = f"De processen zijn weg, maar {where} weigert niet zelf: wat daar is, is niet te zien."
            return _saw(Seen.UNKNOWN, nl, f"The processes are gone, but {where} does not itself refuse: cannot tell.")
        control = place.control(context.remaining())
    except (NotReached, NoFolder) as error:
        return Observation(seen=Seen.UNKNOWN, reason=error.text)
    except ProgramFailed as error:
        return _saw(Seen.UNKNOWN, f"De toestand is niet te lezen: {error}", f"The state cannot be read: {error}")
    return _fenced(place, where, control)


def _fenced(place: Folder, where: str, control: dict[str, str]) -> Observation:
    return Observation(
        seen=Seen.DONE,
        reason=Text(
            nl=f"De database is gestopt: geen proces over, en {where} weigert verbindingen.",
            en=f"The database is stopped: no process is left, and {where} refuses connections.",
        ),
        measurements=(
            Measurement(name="final_lsn", value=control["Latest checkpoint location"]),
            Measurement(name="restart_is_safe", value=place.has(SIGNAL)),
            Measurement(name="cluster_state", value=control["Database cluster state"]),
            *canary.remembered(place),
        ),
    )


def other_is_no_primary(pair: EnvironmentPair, side: Side, context: Context) -> Observation:
    """Whether the side opposite to `side` provably takes no writes: a standby, or stopped on this same machine."""
    other = pair.node(side.other)
    name = SIDE_NAMES[side.other]
    try:
        row = connection(other, context).execute("select pg_is_in_recovery()").fetchone()
    except NotReached as error:
        if error.down and _same_machine(pair.node(side), other, context):
            return standing(other, context)
        return _saw(
            Seen.UNKNOWN,
            f"Het is niet te zien of {name.nl} schrijfbaar is. {error.text.nl}",
            f"Whether {name.en} takes writes cannot be seen. {error.text.en}",
        )
    except psycopg.Error as error:
        nl, en = f"{name.nl.capitalize()} antwoordt niet", f"{name.en.capitalize()} does not answer"
        return _saw(Seen.UNKNOWN, f"{nl}: {one_line(error)}", f"{en}: {one_line(error)}")
    if row == (True,):
        text = f"{name.nl.capitalize()} is standby.", f"{name.en.capitalize()} is a standby."
        return _saw(Seen.DONE, *text)
    nl = f"{name.nl.capitalize()} is schrijfbaar; er mogen er nooit twee schrijfbaar zijn."
    return _saw(Seen.NOT_DONE, nl, f"{name.en.capitalize()} takes writes; there may never be two that do.")


def writable_now(pair: EnvironmentPair, side: Side, context: Context) -> Observation:
    """Whether the node on `side` answers and is not in recovery."""
    name = SIDE_NAMES[side]
    try:
        row = connection(pair.node(side), context).execute("select pg_is_in_recovery()").fetchone()
    except NotReached as error:
        return Observation(seen=Seen.NOT_DONE if error.down else Seen.UNKNOWN, reason=error.text)
    except psycopg.Error as error:
        nl, en = f"{name.nl.capitalize()} antwoordt niet: ", f"{name.en.capitalize()} does not answer: "
        return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl + one_line(error), en=en + one_line(error)))
    if row == (False,):
        text = Text(nl=f"{name.nl.capitalize()} is schrijfbaar.", en=f"{name.en.capitalize()} takes writes.")
        return Observation(seen=Seen.DONE, reason=text)
    nl, en = f"{name.nl.capitalize()} is standby.", f"{name.en.capitalize()} is a standby."
    return Observation(seen=Seen.NOT_DONE, reason=Text(nl=nl, en=en))


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())[:300]


def _same_machine(here: Node, other: Node, context: Context) -> bool:
    """Whether the other node's folder, as named, must be its own: its address is this machine's loopback.

    Two machines often use one path for their data; looking at the path alone could mistake our own for theirs.
    """
    if other.data_directory is None or other.data_directory == here.data_directory:
        return False
    return all(_loopback(host) for host, _ in endpoints(conninfo(other, context)))


def _loopback(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _saw(seen: Seen, nl: str, en: str) -> Observation:
    return Observation(seen=seen, reason=Text(nl=nl, en=en))


_NOT_OWNER = (
    "De processen van deze database zijn van een andere gebruiker en hier niet te zien.",
    "The processes of this database belong to another user and cannot be seen from here.",
)
