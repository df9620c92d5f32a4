"""A site cut off from the orchestrator's database while its worker acts: nothing under an old token, nothing twice."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.runs import drivers
from runners.switch.http import Http
from tests.reliability import database, namespaces
from tests.reliability.figures import times, told
from tests.reliability.http_target import HttpTarget
from tests.reliability.namespaces import Site
from tests.reliability.other_worker import at_site
from tests.reliability.processes import Ground, WorkerProcess, ground, playbook, until
from tests.reliability.test_many_processes import LOCKS, PAIR, asking

LEASE = 6.0
WAYS = (("out",), ("in",), ("in", "out"))
"""Nothing arrives; the commit arrives and its answer is lost; both."""


@dataclass
class Parted:
    """A world with a worker at each of two sites that serve the same steps, and the target both can always reach."""

    ground: Ground
    target: HttpTarget
    sites: list[Site]
    workers: list[WorkerProcess]
    url: str

    def sessions(self, site: Site) -> int:
        """How many connections of a site the orchestrator's database keeps."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as link:
            near = f"{site.database.rpartition('.')[0]}.2"
            row = link.execute("select count(*) from pg_stat_activity where client_addr = %s::inet", [near]).fetchone()
        return row[0] if row else 0


@pytest.fixture
def parted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parted]:
    namespaces.needed()
    with namespaces.sites(1, 2) as made, database.server(everywhere=True) as (_, url):
        monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        target = HttpTarget(namespaces.TARGET)
        real = ground(tmp_path, url)
        drivers.use({**drivers.registry(), "switch.http": Http()})
        workers = [at_site(site, real, target, url, LEASE).start() for site in made]
        yield Parted(real, target, made, workers, url)
        for site in made:
            site.mend()
        real.end()
        target.end()


def chain(target: HttpTarget, length: int) -> list[dict[str, Any]]:
    """Steps that ask the target one after another."""
    names = [f"s{n}" for n in range(length)]
    return [asking(each, target, needs=names[max(0, n - 1) : n]) for n, each in enumerate(names)]


def test_a_worker_that_is_cut_off_does_nothing_under_an_old_token_and_nothing_twice(parted: Parted) -> None:
    cuts, chance, length = times(6, 100), random.Random(20261123), 3
    target, slowest = parted.target, 0.0
    target.slow = 0.3
    for number in range(cuts):
        site = parted.sites[number % 2]
        text = playbook(f"test-cut-{number}", *chain(target, length)) | LOCKS
        run_id = parted.ground.begun(text, **PAIR)
        time.sleep(chance.uniform(0.0, 1.5))
        site.cut(*WAYS[number % len(WAYS)])
        mending = threading.Timer(chance.choice([0.5, 1.5 * LEASE, 3 * LEASE]), site.mend)
        mending.start()
        begun = time.monotonic()
        parted.ground.wait_state(run_id, "completed", 40 * LEASE)
        slowest = max(slowest, time.monotonic() - begun)
        mending.join()
        site.mend()
        assert sorted(each for each in target.done if each.startswith(run_id)) == [
            f"{run_id}:s{n}:1" for n in range(length)
        ]
    assert target.with_an_old_token() == []
    assert len(target.done) == cuts * length
    repeated = sum(each.repeated for each in target.accepted)
    told(
        f"{cuts} cuts between a site and the orchestrator (in, out, answer lost)",
        f"0 effects accepted with an old token ({len(target.refused)} requests refused), 0 of {len(target.done)} twice "
        f"({repeated} repeats known by their key), all runs completed, the slowest {slowest:.1f} s after its cut",
    )


def test_the_database_does_not_keep_the_sessions_of_a_site_that_was_cut_off(parted: Parted) -> None:
    """By its own default it keeps them for two hours, and after enough cuts lets nobody in."""
    site = parted.sites[0]
    assert parted.sessions(site) > 2
    site.cut("in", "out")
    took = until(lambda: parted.sessions(site) == 0, "the sessions of the lost site are given up", 60, 0.5)
    site.mend()
    until(lambda: parted.sessions(site) > 2, "the site is back", 60, 0.5)
    told("sessions of a site that was cut off", f"given up by the database after {took:.0f} s")
