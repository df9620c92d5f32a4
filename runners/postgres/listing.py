"""Lists the rows that a side which came back committed on its own, before anybody throws them away."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field

from runners.contract import (
    Context,
    Effect,
    EnvironmentPair,
    Evidence,
    Fact,
    Frozen,
    Measurement,
    Node,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import Looking
from runners.postgres import record
from runners.postgres.connection import NotReached, connection, conninfo, shown
from runners.postgres.divergence import Divergence, divergence
from runners.postgres.folder import Folder, NoFolder, ProgramFailed, folder
from runners.postgres.lost_list import LostList, compare
from runners.postgres.lost_log import LostLog, lost_log
from runners.postgres.lost_rows import Kind
from runners.postgres.private import Private, end_leftover, private
from runners.postgres.record import Record
from runners.postgres.standing import one_line, standing

FILE = "lost-rows.csv"
GAPS = "not-compared.txt"


class ListDivergenceParams(Frozen):
    """Lists what one side, which was lost and came back, committed after the other side took over.

    The side must be stopped (`postgres.fence` with `returned`). It is started read-only for us alone, on a private
    socket without TCP, and stopped again. Its own log says which transactions it committed after the fork, when, and
    where they wrote; each of those rows is looked up on the side that serves now, by its key and the hash of its
    content, or by content alone where a table has no key.

    Proves: `diverged`, `divergence_lsn`; the list (`lost-rows.csv`) of rows that are missing or other there, and
    `lost_rows`, `lost_tables`, `lost_transactions`, `first_lost_at`, `last_lost_at`, `lost_seconds`.
    Cannot see: which rows it deleted (they stand on the other side still; `lost_deletes` counts them), sequences,
    unlogged tables, and definitions other than of tables, views and indexes (`lost_definitions`).
    Needs: the worker at this node's site runs as the owner of the data directory and holds both dsns, with rights to
    read every table; PostgreSQL's own programs, pg_waldump among them; the log since the fork.
    Bad input: a side that runs is *failed*; a log that is gone, a table that cannot be compared, more than `at_most`
    rows or no time left is *could not look*: not all was compared, and that is never "nothing is lost". With
    `incomplete` people accept that beforehand, and it passes with a warning.
    """

    pair: EnvironmentPair
    node: Side
    """The side that came back."""
    at_most: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Rows that are listed."""
    content: bool = True
    """Whether the list holds the rows themselves; without it only keys and hashes, and the rows are gone for good."""
    incomplete: bool = False


class ListDivergence(Runner):
    """``postgres.divergence``: isolated; provides ``divergence-listed``, which `postgres.rejoin` requires."""

    name = "postgres.divergence"
    Params = ListDivergenceParams
    effect = Effect.ISOLATED
    repeat = Repeat.OBSERVABLE
    provides = (Fact(kind="divergence-listed"),)
    dsns = ("node", "other")

    def preview(self, params: ListDivergenceParams, context: Context) -> Preview:
        """The private start and the comparison."""
        node, other = params.pair.node(params.node), params.pair.node(params.node.other)
        calls = (
            f"pg_controldata {node.data_directory}",
            f"postgres -D {node.data_directory} (read-only, private socket, no TCP)",
            f"pg_waldump -p {node.data_directory}/pg_wal",
            shown(other, "SELECT … WHERE key IN (…)"),
        )
        nl = "Laat alles staan; start de oude kant even voor onszelf, zonder dat iemand erbij kan."
        en = "Leaves everything as it is; starts the old side for ourselves for a while, where nobody can reach it."
        return Preview(calls=calls, changes=Text(nl=nl, en=en))

    def observe(self, params: ListDivergenceParams, context: Context) -> Observation:
        """It is repeated after a crash: a list that was not finished says nothing."""
        text = Text(nl="De lijst wordt opnieuw gemaakt.", en="The list is made again.")
        return Observation(seen=Seen.NOT_DONE, reason=text)

    def run(self, params: ListDivergenceParams, context: Context) -> Outcome:
        """Look whether it is stopped, compare the logs, then the rows."""
        node = params.pair.node(params.node)
        try:
            place = folder(node)
            end_leftover(place, context)
            if (runs := _not_stopped(node, context)) is not None:
                return runs
            upstream = connection(params.pair.node(params.node.other), context)
            if upstream.execute("select pg_is_in_recovery()").fetchone() != (False,):
                return failed("De andere kant is geen primary.", "The other side is not a primary.")
            found = divergence(place, upstream, context)
            return _listed(params, place, found, context)
        except NotReached as error:
            return could_not_look(error.text.nl, error.text.en)
        except NoFolder as error:
            nl = f"{error.text.nl} Wat er op deze kant weg is, kan niet worden opgesomd."
            return could_not_look(nl, f"{error.text.en} What is lost on this side cannot be listed.")
        except (ProgramFailed, psycopg.Error, OSError) as error:
            nl, en = "Niet alles is vergeleken", "Not all was compared"
            return could_not_look(f"{nl}: {one_line(error)}", f"{en}: {one_line(error)}")


class CheckListedParams(Frozen):
    """Looks whether the rows that one side lost are listed, up to the last thing that it wrote.

    Proves: a list was made of this node's data directory, and nothing was written there since.
    Cannot see: whether somebody read the list.
    Needs: what `postgres.divergence` needs, but starts nothing.
    Bad input: a side that runs, no list, or a list of an older state is *failed*; what cannot be read *could not look*.
    """

    pair: EnvironmentPair
    node: Side


class CheckListed(Looking):
    """``postgres.check-listed``: provides ``divergence-listed`` again, after people took their time to decide."""

    name = "postgres.check-listed"
    Params = CheckListedParams
    provides = (Fact(kind="divergence-listed"),)
    dsns = ("node", "other")

    def preview(self, params: CheckListedParams, context: Context) -> Preview:
        """The record and the state of the node."""
        where = params.pair.node(params.node).data_directory
        calls = (f"read {where}/{record.NAME}", f"pg_controldata {where}")
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckListedParams, context: Context) -> Outcome:
        """Compare the record with what is there."""
        node = params.pair.node(params.node)
        try:
            if (runs := _not_stopped(node, context)) is not None:
                return runs
            place = folder(node)
            found = divergence(place, connection(params.pair.node(params.node.other), context), context)
            known = record.read(place)
        except (NotReached, NoFolder) as error:
            return could_not_look(error.text.nl, error.text.en)
        except (ProgramFailed, psycopg.Error, OSError) as error:
            return could_not_look(f"Niet te zien: {one_line(error)}", f"Cannot be seen: {one_line(error)}")
        if found.diverged and (known is None or not known.covers(found)):
            nl = "Wat deze kant alleen schreef, is niet opgesomd."
            return failed(nl, "What this side wrote on its own is not listed.")
        rows = known.lost_rows if known else 0
        nl, en = f"De lijst is er ({rows} regels).", f"The list is there ({rows} rows)."
        return passed(nl, en, Measurement(name="listed_rows", value=rows, unit="rows"))


def _not_stopped(node: Node, context: Context) -> Outcome | None:
    """Why nothing can be compared on a side that runs, or of which it cannot be seen; None where it is stopped."""
    stopped = standing(node, context)
    if stopped.seen is Seen.DONE:
        return None
    answer = failed if stopped.seen is Seen.NOT_DONE else could_not_look
    return answer(f"{stopped.reason.nl} Stop deze kant eerst.", f"{stopped.reason.en} Stop this side first.")


def _listed(params: ListDivergenceParams, place: Folder, found: Divergence, context: Context) -> Outcome:
    if found.foreign:
        nl = "Deze databases zijn geen kopie van elkaar; er is niets te vergelijken."
        return failed(nl, "These databases are not copies of each other; there is nothing to compare.")
    if not found.diverged:
        nl = "Deze kant schreef niets dat de andere kant niet heeft."
        figures = (Measurement(name="diverged", value=False), Measurement(name="divergence_lsn", value=found.fork))
        rows = Measurement(name="lost_rows", value=0, unit="rows")
        return passed(nl, "This side wrote nothing that the other side does not have.", *figures, rows)
    dsn, serving = (conninfo(params.pair.node(side), context) for side in (params.node, params.node.other))
    user = str(conninfo_to_dict(dsn).get("user") or "postgres")
    with (context.evidence / FILE).open("w", encoding="utf-8", newline="") as text:
        listing = LostList(text, params.at_most, params.content)
        with private(place, user, context) as server:
            log, end = _log(place, server, found, context)
            compare(server, serving, log, listing, context)
    if listing.unlisted:
        listing.gaps.append(f"{listing.unlisted} rows beyond the first {params.at_most} are counted, not listed")
    if not listing.gaps or params.incomplete:
        digest = hashlib.sha256((context.evidence / FILE).read_bytes()).hexdigest()
        moment = datetime.now(UTC).isoformat()
        record.leave(place, Record(found.fork, end, digest, listing.lost, not listing.gaps, moment))
    return _told(params, context, found, log, listing)


def _log(place: Folder, server: Private, found: Divergence, context: Context) -> tuple[LostLog, str]:
    with server.connect("template1") as link:
        row = link.execute("select pg_last_wal_replay_lsn()::text").fetchone()
    end = str(row[0]) if row else found.last
    return lost_log(place, found.timeline, found.fork, end, context), end


def _told(
    params: ListDivergenceParams, context: Context, found: Divergence, log: LostLog, listing: LostList
) -> Outcome:
    figures = (*_figures(found, listing), *_moments(log))
    evidence: tuple[Evidence, ...] = (
        Evidence(path=FILE, media_type="text/csv", title="Rows that only the old side has"),
    )
    if listing.gaps:
        (context.evidence / GAPS).write_text("\n".join(listing.gaps) + "\n", encoding="utf-8")
        evidence = (*evidence, Evidence(path=GAPS, title="What could not be compared"))
        nl = f"Niet alles is vergeleken: {listing.gaps[0]}. Gevonden: {listing.lost} regels die de andere kant mist."
        en = f"Not all was compared: {listing.gaps[0]}. Found: {listing.lost} rows that the other side lacks."
        if not params.incomplete:
            return could_not_look(nl, en, *figures, evidence=evidence)
        return passed(nl, en, *figures, evidence=evidence, warning=True)
    tables, since = len(listing.tables), found.fork
    nl = f"Deze kant heeft {listing.lost} regels in {tables} tabellen die de andere kant mist (vanaf {since})."
    en = f"This side holds {listing.lost} rows in {tables} tables that the other side lacks (from {since} on)."
    return passed(nl, en, *figures, evidence=evidence, warning=bool(listing.rows))


def _figures(found: Divergence, listing: LostList) -> tuple[Measurement, ...]:
    return (
        Measurement(name="diverged", value=True),
        Measurement(name="divergence_lsn", value=found.fork),
        Measurement(name="lost_rows", value=listing.lost, unit="rows"),
        Measurement(name="lost_tables", value=len(listing.tables)),
        Measurement(name="lost_deletes", value=listing.rows[Kind.DELETED], unit="rows"),
        Measurement(name="lost_definitions", value=listing.rows[Kind.DEFINITION]),
        Measurement(name="compared_all", value=not listing.gaps),
    )


def _moments(log: LostLog) -> tuple[Measurement, ...]:
    count = Measurement(name="lost_transactions", value=log.transactions)
    if not log.commits:
        return (count,)
    first, last = min(log.commits.values()), max(log.commits.values())
    return (
        count,
        Measurement(name="first_lost_at", value=first.isoformat()),
        Measurement(name="last_lost_at", value=last.isoformat()),
        Measurement(name="lost_seconds", value=round((last - first).total_seconds(), 3), unit="s"),
    )
