"""Makes a side anew from a fresh base backup of the other one, where its data directory is gone."""

import os
import shutil
import time
from pathlib import Path

import psycopg

from runners.contract import (
    Context,
    EnvironmentPair,
    Frozen,
    Measurement,
    Node,
    Observation,
    Outcome,
    Preview,
    Side,
    Text,
    could_not_look,
    failed,
)
from runners.looking import SIDE_NAMES
from runners.postgres import token
from runners.postgres.connection import Connection, NotReached, connection, conninfo, endpoints, shown
from runners.postgres.folder import MARGIN, Folder, NoFolder, ProgramFailed, binaries_of
from runners.postgres.follow import Follow, FollowParams, configure, without_password
from runners.postgres.standing import one_line

MARK = ".wissel-rebuild"
"""Ending of the file beside the data directory that says who began to fill it."""


class RebuildParams(Frozen):
    """Makes one side the standby of the other from nothing: pg_basebackup into its empty data directory, and a start.

    Port and address come from the node's dsn, all other settings from the upstream: look at them by hand afterwards.

    Proves: what `postgres.follow` proves: it streams on the upstream's timeline and has replayed what was there.
    Cannot see: what the lost data directory held that the upstream does not have; that can never be listed any more.
    Needs: the worker at this node's site may write beside the data directory; both dsns; pg_basebackup; room.
    Bad input: a data directory that is not empty is *failed* and left as it is, unless this same step began to fill
    it and was cut off.
    """

    pair: EnvironmentPair
    node: Side
    upstream: Side


class Rebuild(Follow):
    """``postgres.rebuild``: observable; a repeat throws away only what its own cut-off attempt had copied."""

    name = "postgres.rebuild"
    Params = RebuildParams
    dsns = ("node", "upstream")

    def preview(self, params: RebuildParams | FollowParams, context: Context) -> Preview:
        """The base backup and the start."""
        node, upstream = params.pair.node(params.node), params.pair.node(params.upstream)
        calls = (
            shown(upstream, f"SELECT pg_create_physical_replication_slot('{node.slot}', true)"),
            f"pg_basebackup -d {upstream.dsn} -D {node.data_directory} -X stream",
            f"pg_ctl start -D {node.data_directory}",
        )
        name, other = SIDE_NAMES[params.node], SIDE_NAMES[params.upstream]
        nl = f"Maakt {name.nl} opnieuw, als kopie van {other.nl}."
        return Preview(
            calls=calls,
            changes=Text(nl=nl, en=f"Makes {name.en} anew, as a copy of {other.en}."),
            irreversible=True,
        )

    def observe(self, params: RebuildParams | FollowParams, context: Context) -> Observation:
        """Done when this node streams from the upstream on the upstream's timeline."""
        return super().observe(_follow(params), context)

    def run(self, params: RebuildParams | FollowParams, context: Context) -> Outcome:
        """Copy into an empty folder, never over anything."""
        if params.node is params.upstream:
            return failed("Een kant kan zichzelf niet volgen.", "A side cannot follow itself.")
        node, started = params.pair.node(params.node), time.monotonic()
        if (old := token.refused(node, context)) is not None:
            return old
        try:
            upstream = connection(params.pair.node(params.upstream), context)
            if upstream.execute("select pg_is_in_recovery()").fetchone() != (False,):
                return failed("De te volgen kant is geen primary.", "The side to follow is not a primary.")
            place, mark = _emptied(node, upstream, context)
            _keep_log(upstream, node)
            _copied(place, params, context)
            _addressed(place, node, context)
            configure(place, _follow(params), context, upstream)
            mark.unlink()
            place.start(context)
        except NotReached as error:
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en)
        except NotEmpty as error:
            return failed(error.text.nl, error.text.en)
        except NoFolder as error:
            return could_not_look(error.text.nl, error.text.en)
        except (ProgramFailed, psycopg.Error, OSError) as error:
            return failed(f"Opnieuw maken mislukte: {one_line(error)}", f"Rebuilding failed: {one_line(error)}")
        figures = [Measurement(name="rebuilt", value=True)]
        return self.wait(_follow(params), context, place, started, figures)


class NotEmpty(Exception):
    """The data directory holds something that is not ours to throw away."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        nl = f"De datamap {path} is niet leeg; zij blijft zoals zij is."
        self.text = Text(nl=nl, en=f"The data directory {path} is not empty; it is left as it is.")


def _emptied(node: Node, upstream: Connection, context: Context) -> tuple[Folder, Path]:
    """The empty data directory, with the mark of this step beside it. Raises `NotEmpty`, `NoFolder`, `OSError`."""
    if node.data_directory is None:
        raise NoFolder("De omgeving noemt geen datamap.", "The environment names no data directory.")
    path = Path(node.data_directory).resolve()
    mark, mine = path.with_name(path.name + MARK), context.effect_key.rpartition(":")[0]
    owner = (path if path.exists() else path.parent).stat()
    if path.exists() and any(path.iterdir()):
        if not mark.exists() or mark.read_text(encoding="utf-8") != mine:
            raise NotEmpty(path)
        for entry in path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    mark.write_text(mine, encoding="utf-8")
    path.mkdir(mode=0o700, exist_ok=True)
    os.chmod(path, 0o700)
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
    row = upstream.execute("select current_setting('server_version_num')::int / 10000").fetchone()
    major = str(row[0]) if row else ""
    return Folder(path, binaries_of(node, major), owner.st_uid, owner.st_gid), mark


def _keep_log(upstream: Connection, node: Node) -> None:
    """Keep the log from now on, so that none of it is missing when the copy is done."""
    query = "select 1 from pg_replication_slots where slot_name = %s"
    if node.slot is not None and upstream.execute(query, [node.slot]).fetchone() is None:
        upstream.execute("select pg_create_physical_replication_slot(%s, true)", [node.slot])


def _copied(place: Folder, params: RebuildParams | FollowParams, context: Context) -> None:
    dsn, secrets = without_password(conninfo(params.pair.node(params.upstream), context))
    arguments = ("-d", dsn, "-D", str(place.path), "-X", "stream", "-c", "fast")
    place.run("pg_basebackup", *arguments, seconds=context.remaining() - MARGIN, secrets=secrets)


def _addressed(place: Folder, node: Node, context: Context) -> None:
    """Its own port and address in the place of the upstream's, which came along with the copy."""
    hosts = endpoints(conninfo(node, context))
    if not hosts:
        return
    settings = {"port": str(hosts[0][1])}
    names = [host for host, _ in hosts if not host.startswith("/")]
    if names:
        settings["listen_addresses"] = ",".join(names)
    place.set_automatically(settings)


def _follow(params: RebuildParams | FollowParams) -> FollowParams:
    return FollowParams(pair=params.pair, node=params.node, upstream=params.upstream)
