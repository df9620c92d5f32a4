"""The demonstration: real servers, the product, an example organisation, six drills, and what came of them.

As root it first becomes an ordinary user and starts again as that user (`app.lab.ground`).
"""

import argparse
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from app.lab import auto as autopilot
from app.lab import ground, people, servers, tables, wissel
from app.lab.material import Material, make
from app.lab.organisation import loader
from app.lab.organisation.material import Filling
from app.lab.people import Part, People
from app.lab.postgres import ComponentMissing, ServerFailed
from app.lab.processes import Child, NotReady, ProcessDied, Supervisor
from app.lab.progress import Progress, follow
from app.lab.result import Client, Exit, drill_line, exit_status, finding_lines, plan_lines, wrong
from app.lab.waiting import Links, way_back
from app.lab.writer import FIRST, read
from app.remote import ApiRefused, Remote

PATIENCE_SECONDS = 240.0
"""How long the drills may take before the demonstration by itself gives up."""
PAUSE_SECONDS = 0.25
STAY_BY_ITSELF = timedelta(seconds=4)
STAY_WITH_PEOPLE = timedelta(seconds=60)
"""From the end of the way over to the way back; people approve it in this time, or while it waits for them."""
WIDTH = 160
"""Columns of the tables where the output goes to a file."""
EXPECTED = {
    "p-permits": "proven",
    "p-permits-stressed": "not proven",
    "p-civil": "failed",
    "p-social": "failed",
}
"""Status in the end of the plans that the drills are about, by their names in plans.yaml."""
NOTHING: dict[str, Any] = {"drills": [], "plans": [], "findings": []}
FAILURES = (ServerFailed, ProcessDied, NotReady, ApiRefused, wissel.WisselFailed, ground.NoGround, OSError)


class Demonstration:
    """One demonstration in its data folder."""

    def __init__(self, folder: Path, *, auto: bool) -> None:
        self.folder, self.auto = folder, auto
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
        self.result: dict[str, Any] = NOTHING
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        """A line about what happens now, with the seconds since the start."""
        since = time.monotonic() - self._began
        # Never folded: a link must stay whole.
        self.console.print(f"[dim]{since:5.1f} s[/dim]  {escape(text)}", soft_wrap=True)

    def run(self) -> Exit:
        """Everything, in a supervisor that leaves no process behind."""
        self.tell(f"The data folder is {self.folder}")
        self.tell("Starting two sites: PostgreSQL with a standby, the permit desk at each, HAProxy before them …")
        with Supervisor(self.folder) as supervisor:
            lab = servers.Servers.start(supervisor)
            client = self._start_writer(supervisor, lab)
            self.tell(f"A client writes to {lab.proxy.url} at 50 requests a second")
            made = make(self.folder, lab, now=datetime.now(UTC))
            self.tell("Made: three backups, one of them damaged; two escrow deposits, one that lacks a tool")
            product = self._start_product(supervisor, lab)
            return self._drills(lab, product, client, made)

    def _start_writer(self, supervisor: Supervisor, lab: servers.Servers) -> Child:
        argv = [sys.executable, "-P", "-m", "app.lab.writer", lab.proxy.url.removeprefix("http://"), str(self._log)]
        child = supervisor.start("writer", argv)
        child.wait_until(lambda: len(read(self._log)) > 0)
        return child

    @property
    def _log(self) -> Path:
        return self.folder / "writes.log"

    def _start_product(self, supervisor: Supervisor, lab: servers.Servers) -> wissel.Wissel:
        settings = wissel.environment(
            self.folder / "wissel",
            url=wissel.database_url(supervisor, self.folder / "wissel", now=datetime.now(UTC), tell=self.tell),
            secrets=lab.secrets,
            policy=lab.write_policy(),
        )
        product = wissel.start(supervisor, settings)
        self.tell(f"Wissel answers at {product.address}")
        return product

    def _drills(self, lab: servers.Servers, product: wissel.Wissel, client: Child, made: Material) -> Exit:
        admin = Remote(product.address, product.bearer)
        team = people.welcome(product.address, admin)
        filling = Filling(datetime.now(UTC), made.values)
        entered = loader.enter(team, filling, tell=self.tell)
        self.tell(f"Plans entered, approved and reviewed: {len(entered.before)}")
        filling.now = datetime.now(UTC)
        loader.plan_drills(team, filling, entered, auto=self.auto)
        self.tell(f"Drills planned, the scheduler starts them: {', '.join(each.ref for each in entered.drills)}")
        progress = Progress(team[Part.AUTHOR].api, entered.drills, self.tell)
        if self.auto:
            pilot = autopilot.Autopilot(team, lab)
            pilot.approve_beforehand(entered.drills)
            back = way_back(team, entered.drills, progress, stay=STAY_BY_ITSELF)

            def act(runs: list[dict[str, Any]]) -> None:
                pilot.act(runs)
                back.look()

            follow(progress, act, patience=PATIENCE_SECONDS, pause=PAUSE_SECONDS)
            client.stop()
            return self._conclude(lab, team, entered, progress)
        return self._with_people(lab, product, admin, team, entered, progress)

    def _with_people(
        self,
        lab: servers.Servers,
        product: wissel.Wissel,
        admin: Remote,
        team: People,
        entered: loader.Organisation,
        progress: Progress,
    ) -> Exit:
        """Wait for people until Ctrl-C; the tables are shown once all six drills ended."""
        links = Links(admin, team, self.tell)
        back = way_back(team, entered.drills, progress, stay=STAY_WITH_PEOPLE)
        self.tell(f"Open {product.address} and sign in. Each link works once, within 30 minutes:")
        links.show()
        self.tell("Permits waits for the approval of two people, a go, and the process owner's check. Ctrl-C stops.")
        shown = False
        while product.process.alive:
            if not progress.done:
                progress.look()
                back.look()
            elif not shown:
                shown = True
                self._conclude(lab, team, entered, progress)
                self.tell(f"All six drills ended. Wissel goes on serving at {product.address} until Ctrl-C.")
            links.renew()
            time.sleep(1)
        raise wissel.WisselFailed(f"Wissel ended by itself:\n{product.process.tail()}")

    def _conclude(self, lab: servers.Servers, team: People, entered: loader.Organisation, progress: Progress) -> Exit:
        """Compare with what should have come of it, show the tables, keep the result."""
        api = team[Part.AUTHOR].api
        client = _client(self._log, lab)
        after = loader.statuses(team)
        findings = api.get("/findings", pageSize=100, sort="ref")["items"]
        self.result = {
            "drills": [drill_line(drill, progress.ended.get(drill.id), client) for drill in entered.drills],
            "plans": plan_lines(entered.before, after),
            "findings": finding_lines(findings),
        }
        tables.show(
            self.console,
            drills=entered.drills,
            runs=progress.ended,
            result=self.result,
            before=entered.before,
            after=after,
        )
        expected = {entered.refs[name]: status for name, status in EXPECTED.items()}
        found = wrong(entered.drills, progress.ended, self.result["plans"], expected, client.lost)
        self.tell(f"{len(client.log)} writes were acknowledged, {len(client.lost)} of them lost")
        for problem in found:
            self.tell(f"Not as it should be: {problem}")
        return exit_status(found)


def _client(log: Path, lab: servers.Servers) -> Client:
    # The log is read first: what is written meanwhile is then in the database too.
    written = read(log)
    side = lab.serving()
    kept = lab.databases[side].numbers(FIRST) if side else set[int]()
    return Client(written, kept)


def run(*, auto: bool, folder: Path | None) -> int:
    """The command `wissel demo`; the exit status. `folder`: where everything goes, a new one by default.

    With `auto` the last line of the output is the result as one JSON object.
    """
    try:
        chosen = ground.data_folder(folder, now=datetime.now())  # noqa: DTZ005 - a name for people, in local time
        if ground.is_root():
            user = ground.ordinary_user()
            sys.stdout.write(f"Started as root: everything runs as {user.name} from here on.\n")
            found = ground.prepare(chosen, user)
            ground.drop(found, chosen, ["-P", "-m", "app.lab.demo", str(chosen), *(["--auto"] if auto else [])])
    except (ground.NoGround, OSError) as error:
        return _failed(str(error), Exit.NOT_AS_IT_SHOULD, NOTHING, auto=auto)
    return _demonstrate(chosen, auto=auto)


def _demonstrate(folder: Path, *, auto: bool) -> int:
    shown = Demonstration(folder, auto=auto)
    try:
        status = shown.run()
    except KeyboardInterrupt:
        shown.tell(f"Stopped. What stays is {folder}")
        return _ended(Exit.NOT_AS_IT_SHOULD if auto else Exit.AS_IT_SHOULD, shown.result, auto=auto)
    except ComponentMissing as error:
        return _failed(str(error), Exit.COULD_NOT_LOOK, shown.result, auto=auto)
    except FAILURES as error:
        return _failed(str(error), Exit.NOT_AS_IT_SHOULD, shown.result, auto=auto)
    shown.tell(f"Everything is stopped. What stays is {folder}")
    return _ended(status, shown.result, auto=auto)


def _failed(reason: str, status: Exit, result: dict[str, Any], *, auto: bool) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{reason}\n")
    sys.stderr.flush()
    return _ended(status, result, auto=auto)


def _ended(status: Exit, result: dict[str, Any], *, auto: bool) -> int:
    if auto:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    return int(status)


def main() -> None:
    """Command line of the second start, as the ordinary user that root became: python -m app.lab.demo FOLDER."""
    parser = argparse.ArgumentParser(description="The demonstration, in a folder that was made for it")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--auto", action="store_true")
    options = parser.parse_args()
    sys.exit(_demonstrate(options.folder, auto=options.auto))


if __name__ == "__main__":
    main()
