"""Makes the old side a streaming standby of the new primary, rewinding it where it diverged and that was asked."""

import time
from datetime import UTC, datetime
from typing import ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runners.contract import (
    Context,
    Effect,
    EnvironmentPair,
    Evidence,
    Fencing,
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
from runners.looking import SIDE_NAMES
from runners.postgres import record, token
from runners.postgres.connection import Connection, NotReached, connection, conninfo, shown, upstream_conninfo
from runners.postgres.divergence import Divergence, divergence
from runners.postgres.folder import MARGIN, POLL, RECORD, SIGNAL, Folder, NoFolder, ProgramFailed, folder
from runners.postgres.private import private

OWN_FILES = ("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf")
"""What pg_rewind overwrites with the other server's, such as its port."""
_STATE = (
    "select pg_is_in_recovery(), (select status from pg_stat_wal_receiver),"
    " (select received_tli from pg_stat_wal_receiver), pg_last_wal_replay_lsn()::text"
)


class FollowParams(Frozen):
    """Makes one side the standby of the other: standby.signal, primary_conninfo, a slot, and a start.

    Proves: it streams on the upstream's timeline (seen on both sides) and has replayed what the upstream had written
    when it was asked; "running" is not enough.
    Cannot see: whether it will keep up under load; measure `postgres.replication-lag` for that.
    Needs: the worker at this node's site runs as the owner of the data directory and holds both dsns; for a rewind,
    data checksums or wal_log_hints on this node, and pg_rewind.
    Bad input: a node that takes writes is *failed* (fence it first). A diverged node without `rewind` is *failed*
    with the place where it diverged (`divergence_lsn`) and is left as it is. With `rewind` it is *failed* as long as
    `postgres.divergence` did not list the rows that the rewind throws away.
    """

    pair: EnvironmentPair
    node: Side
    upstream: Side
    rewind: bool = False


class Follow(Runner):
    """``postgres.follow``: observable. It cannot be undone: after a rewind the diverged writes are gone."""

    name = "postgres.follow"
    dsns = ("node", "upstream")
    Params: ClassVar[type[Frozen]] = FollowParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.TARGET
    rejoins = True

    def preview(self, params: FollowParams, context: Context) -> Preview:
        """Slot, rewind, configuration, start."""
        node, upstream = params.pair.node(params.node), params.pair.node(params.upstream)
        rewind = (f"pg_rewind --target-pgdata {node.data_directory} --source-server {upstream.dsn}",)
        calls = (
            shown(upstream, f"SELECT pg_create_physical_replication_slot('{node.slot}', true)"),
            *(rewind if params.rewind else ()),
            f"write {node.data_directory}/{SIGNAL}; primary_conninfo, primary_slot_name in postgresql.auto.conf",
            f"pg_ctl start -D {node.data_directory}",
        )
        name, other = SIDE_NAMES[params.node], SIDE_NAMES[params.upstream]
        nl, en = f"Maakt {name.nl} standby van {other.nl}.", f"Makes {name.en} the standby of {other.en}."
        return Preview(calls=calls, changes=Text(nl=nl, en=en), irreversible=True)

    def observe(self, params: FollowParams, context: Context) -> Observation:
        """Done when this node streams from the upstream on the upstream's timeline."""
        try:
            upstream = connection(params.pair.node(params.upstream), context)
            follower = connection(params.pair.node(params.node), context)
            wrong = _not_following(upstream, follower, params.pair.node(params.node))
        except NotReached as error:
            return Observation(seen=Seen.NOT_DONE if error.down else Seen.UNKNOWN, reason=error.text)
        except psycopg.Error as error:
            text = Text(nl=f"Niet te zien: {_line(error)}", en=f"Cannot be seen: {_line(error)}")
            return Observation(seen=Seen.UNKNOWN, reason=text)
        if wrong is not None:
            return Observation(seen=Seen.NOT_DONE, reason=wrong)
        nl, en = "Deze kant volgt en ontvangt wijzigingen.", "This side follows and receives changes."
        return Observation(seen=Seen.DONE, reason=Text(nl=nl, en=en))

    def run(self, params: FollowParams, context: Context) -> Outcome:
        """Look first, then change; a node that could do harm is left as it is."""
        if params.node is params.upstream:
            return failed("Een kant kan zichzelf niet volgen.", "A side cannot follow itself.")
        node = params.pair.node(params.node)
        if (old := token.refused(node, context)) is not None:
            return old
        try:
            upstream = connection(params.pair.node(params.upstream), context)
            if upstream.execute("select pg_is_in_recovery()").fetchone() != (False,):
                nl, en = "De te volgen kant is geen primary.", "The side to follow is not a primary."
                return failed(nl, en)
            place = folder(node)
            return self._stop_first(params, context, place) or self._rejoin(params, context, place, upstream)
        except NotReached as error:
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en)
        except NoFolder as error:
            return could_not_look(error.text.nl, error.text.en)
        except (ProgramFailed, psycopg.Error, OSError) as error:
            return failed(f"Aansluiten mislukte: {_line(error)}", f"Rejoining failed: {_line(error)}")

    def _stop_first(self, params: FollowParams, context: Context, place: Folder) -> Outcome | None:
        if not place.running():
            return None
        node = params.pair.node(params.node)
        if connection(node, context).execute("select pg_is_in_recovery()").fetchone() != (True,):
            nl = "Deze kant neemt nog wijzigingen aan; scherm haar eerst af."
            return failed(nl, "This side still takes writes; fence it first.")
        context.forget(f"postgres:{node.dsn}")
        if place.stop(context):
            return None
        return failed("De oude standby stopte niet op tijd.", "The old standby did not stop in time.")

    def _rejoin(self, params: FollowParams, context: Context, place: Folder, upstream: Connection) -> Outcome:
        started = time.monotonic()
        found = divergence(place, upstream, context)
        if found.foreign:
            nl = "Deze databases zijn geen kopie van elkaar; rewind kan dat niet herstellen."
            return failed(nl, "These databases are not copies of each other; a rewind cannot mend that.")
        figures: list[Measurement] = [Measurement(name="diverged", value=found.diverged)]
        evidence: tuple[Evidence, ...] = ()
        if found.diverged:
            figures.append(Measurement(name="divergence_lsn", value=found.fork))
            refusal = _refused(params, found, place)
            if refusal is not None:
                return failed(refusal.nl, refusal.en, *figures)
            evidence = (_listed(found, context),)
            _rewind(place, params, context, upstream)
        configure(place, params, context, upstream)
        place.start(context)
        return self.wait(params, context, place, started, figures, evidence)

    def wait(
        self,
        params: FollowParams,
        context: Context,
        place: Folder,
        started: float,
        figures: list[Measurement],
        evidence: tuple[Evidence, ...] = (),
    ) -> Outcome:
        """Look until it follows, or the time is up."""
        seen = self.observe(params, context)
        while seen.seen is not Seen.DONE and context.remaining() > MARGIN:
            time.sleep(5 * POLL)
            seen = self.observe(params, context)
        figures.append(Measurement(name="rejoined_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms"))
        if seen.seen is not Seen.DONE:
            said = " ".join(place.said().split())
            nl, en = f"{seen.reason.nl} De server zei: {said}", f"{seen.reason.en} The server said: {said}"
            return failed(nl, en, *figures, evidence=evidence)
        _drop_old_slot(params, context)
        return passed(seen.reason.nl, seen.reason.en, *figures, evidence=evidence, effective_at=datetime.now(UTC))


def _not_following(upstream: Connection, follower: Connection, node: Node) -> Text | None:
    state = follower.execute(_STATE).fetchone()
    if state is None or not state[0]:
        return Text(nl="Deze kant is geen standby.", en="This side is not a standby.")
    if state[1] != "streaming":
        return Text(nl="Deze kant draait, maar ontvangt niets.", en="This side runs, but receives nothing.")
    query = (
        "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int, pg_current_wal_flush_lsn(),"
        " (select count(*) from pg_stat_replication r left join pg_replication_slots s on s.active_pid = r.pid"
        "  where r.state = 'streaming' and (%s::text is null or s.slot_name = %s))"
    )
    above = upstream.execute(query, [node.slot, node.slot]).fetchone()
    if above is None or not above[2]:
        nl, en = "De primary stuurt niets naar deze kant.", "The primary sends nothing to this side."
        return Text(nl=nl, en=en)
    if above[0] != state[2]:
        nl, en = "Deze kant volgt een andere tijdlijn.", "This side follows another timeline."
        return Text(nl=nl, en=en)
    if follower.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [above[1]]).fetchone() != (True,):
        return Text(nl="Deze kant loopt nog achter.", en="This side is still behind.")
    return None


def _refused(params: FollowParams, found: Divergence, place: Folder) -> Text | None:
    if not params.rewind:
        nl = f"Deze kant schreef na {found.fork} door op haar eigen tijdlijn; zonder rewind blijft zij zoals zij is."
        return Text(
            nl=nl, en=f"This side wrote on after {found.fork} on its own timeline; without rewind it is left as it is."
        )
    if not found.rewindable:
        nl = "Rewind kan niet: deze kant heeft geen data checksums en geen wal_log_hints."
        return Text(nl=nl, en="A rewind is not possible: this side has no data checksums and no wal_log_hints.")
    known = record.read(place)
    if known is None or not known.covers(found):
        nl = f"Wat deze kant na {found.fork} alleen schreef, is nog niet opgesomd; zonder die lijst gaat er niets weg."
        en = (
            f"What this side wrote on its own after {found.fork} is not listed yet; nothing is thrown away before that."
        )
        return Text(nl=nl, en=en)
    return None


def _listed(found: Divergence, context: Context) -> Evidence:
    (context.evidence / "divergence.txt").write_text(found.listing, encoding="utf-8")
    return Evidence(path="divergence.txt", title="WAL that the rewind throws away")


def _rewind(place: Folder, params: FollowParams, context: Context, upstream: Connection) -> None:
    place.drop_stale_pid()
    if not place.control()["Database cluster state"].startswith("shut down"):
        # pg_rewind would end the crash by itself, which a node with the fence does not let it do.
        dsn = conninfo(params.pair.node(params.node), context)
        with private(place, str(conninfo_to_dict(dsn).get("user") or "postgres"), context):
            pass
    upstream.execute("checkpoint")  # pg_rewind reads the new timeline from the upstream's control file
    dsn, secrets = without_password(conninfo(params.pair.node(params.upstream), context))
    own = {name: (place.path / name).read_text(encoding="utf-8") for name in OWN_FILES if place.has(name)}
    # The fence stays up through the rewind: a node that is half rewound must not come back writable.
    arguments = ("--target-pgdata", str(place.path), "--source-server", dsn)
    try:
        place.run("pg_rewind", *arguments, seconds=context.remaining() - MARGIN, secrets=secrets)
    finally:
        place.write(SIGNAL, "")
        for name, content in own.items():
            place.write(name, content)


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """The dsn fit for a command line, which other users can read, and the password apart."""
    parts = conninfo_to_dict(dsn)
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def configure(place: Folder, params: FollowParams, context: Context, upstream: Connection) -> None:
    """Make the stopped node in `place` a standby of the upstream, from its next start on."""
    node = params.pair.node(params.node)
    if node.slot is not None and not _slot(upstream, node.slot):
        upstream.execute("select pg_create_physical_replication_slot(%s, true)", [node.slot])
    above = upstream_conninfo(conninfo(params.pair.node(params.upstream), context), node.slot)
    place.set_automatically({"primary_conninfo": above, "primary_slot_name": node.slot or ""})
    place.write(SIGNAL, "")
    place.remove(RECORD)


def _slot(link: Connection, name: str) -> bool:
    return link.execute("select 1 from pg_replication_slots where slot_name = %s", [name]).fetchone() is not None


def _drop_old_slot(params: FollowParams, context: Context) -> None:
    """The slot for the other side, left from when this node was the primary, would keep WAL until the disk is full."""
    slot = params.pair.node(params.upstream).slot
    if slot is None:
        return
    link = connection(params.pair.node(params.node), context)
    query = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s and not active"
    link.execute(query, [slot])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
