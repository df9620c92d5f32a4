"""The command line `wissel`: thin, calls services for local matters and the API for the rest.

Exit codes: 0 done, 1 it did not succeed, 2 wrong usage, 3 could not look, 4 not allowed.
"""

import getpass
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app.access import service as access
from app.access.rules import SYSTEM
from app.core import audit, clock, migrations
from app.core.backup.shape import BackupRefused
from app.core.db import Database
from app.core.errors import Problem
from app.core.settings import Settings
from app.playbooks.loader import check
from app.remote import ApiRefused, Remote
from runners import registry

app = typer.Typer(no_args_is_help=True, help="Wissel proves that a fallback works.", pretty_exceptions_enable=False)
admin = typer.Typer(no_args_is_help=True, help="First start and care.")
drill = typer.Typer(no_args_is_help=True, help="Drills: list, show, plan, start now.")
run = typer.Typer(no_args_is_help=True, help="Runs: list, show, and every command of the cockpit.")
app.add_typer(admin, name="admin")
app.add_typer(drill, name="drill")
app.add_typer(run, name="run")
out, err = Console(), Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the run.")]


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        _complain(f"A setting is wrong: {error}")
        raise typer.Exit(2) from error


def _complain(what: object) -> None:
    """Say what is wrong as it stands: brackets in it are no markup, and its lines are not broken."""
    err.print(str(what), style="red", markup=False, highlight=False, soft_wrap=True)


def _show(value: Any, as_json: bool, columns: tuple[str, ...] = ()) -> None:
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    elif isinstance(value, dict) and "items" in value:
        table = Table(*columns)
        for item in value["items"]:
            table.add_row(*(_cell(item.get(name)) for name in columns))
        out.print(table)
    elif isinstance(value, dict):
        table = Table(show_header=False)
        for name, each in value.items():
            table.add_row(name, _cell(each))
        out.print(table)


def _every(remote: Remote, path: str, **query: Any) -> dict[str, Any]:
    """The whole of a list, whose pages hold 100 at most."""
    listed: dict[str, Any] = remote.get(path, page=1, pageSize=100, **query)
    while len(listed["items"]) < listed["total"]:
        more = remote.get(path, page=listed["page"] + 1, pageSize=100, **query)
        if not more["items"]:
            break
        listed = {**more, "items": [*listed["items"], *more["items"]]}
    return listed


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 8000 by default.")] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only the web; workers run elsewhere.")] = False,
) -> None:
    """Run the web service with its clock and one worker."""
    from app import serve as processes  # the web is only loaded where it is served

    try:
        processes.web(_settings(host=host, port=port), work=not no_worker)
    except processes.RootRefused as refused:
        _complain(refused)
        raise typer.Exit(1) from refused


@app.command()
def worker() -> None:
    """Run the steps of this machine's sites (WISSEL_SITES), without the web."""
    from app import serve as processes

    try:
        processes.worker(_settings())
    except processes.RootRefused as refused:
        _complain(refused)
        raise typer.Exit(1) from refused


@app.command()
def demo(
    auto: Annotated[bool, typer.Option("--auto", help="Sign in as the people and end by itself.")] = False,
    data: Annotated[Path | None, typer.Option(help="Data folder; default a new one.")] = None,
) -> None:
    """Start real servers on this machine, load an example organisation and run six drills."""
    from app.lab import demo as laboratory

    raise typer.Exit(laboratory.run(auto=auto, folder=data))


@app.command("check")
def check_playbook(
    playbooks: Annotated[list[Path], typer.Argument(help="Playbook files.")], as_json: AsJson = False
) -> None:
    """Validate playbooks: every mistake with file, line, step, field and what to do."""
    runners = registry.load()
    found = {str(path): check(path, runners) for path in playbooks}
    if as_json:
        plain = {name: [problem.as_json() for problem in problems] for name, problems in found.items()}
        sys.stdout.write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
    else:
        for name, problems in found.items():
            for problem in problems:
                out.print(str(problem), soft_wrap=True, markup=False, highlight=False)
            if not problems:
                out.print(f"{name}: valid", soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(1 if any(found.values()) else 0)


@app.command("activate")
def activate_plan(
    plan: Annotated[str, typer.Argument(help="The plan's reference.")],
    reason: Annotated[str, typer.Option("--reason", help="What happens, in one sentence.")],
    lost: Annotated[list[str] | None, typer.Option(help="The side that is lost: primary or fallback.")] = None,
    alarm_at: Annotated[str | None, typer.Option(help="When it was noticed, with its offset; now without.")] = None,
    outage_at: Annotated[str | None, typer.Option(help="When the service went away, if known.")] = None,
    playbook: Annotated[str | None, typer.Option(help="The playbook; the only fail-over without.")] = None,
    break_glass: Annotated[bool, typer.Option("--break-glass", help="Begin before others approved it.")] = False,
    as_json: AsJson = False,
) -> None:
    """The real thing: put a plan to work. Drills on its environments stop at once."""
    told = {"playbook": playbook, "outageAt": outage_at}
    body = {
        "plan": plan,
        "reason": reason,
        "lost": {"sides": lost or []},
        "alarmAt": alarm_at or clock.now().isoformat(),
        "breakGlass": break_glass,
        **{name: value for name, value in told.items() if value is not None},
    }
    _show(Remote().post("/activations", body), as_json)


@app.command()
def status(
    plan: Annotated[str | None, typer.Argument(help="A plan's reference; all plans without.")] = None,
    as_of: Annotated[str | None, typer.Option(help="A past date, YYYY-MM-DD or a full time.")] = None,
    as_json: AsJson = False,
) -> None:
    """What is proven: one plan with its claims, or all plans, with the runs of a backup that wait for a look."""
    remote = Remote()
    if plan is not None:
        _show(remote.get(f"/plans/{plan}/status", asOf=as_of), as_json)
        return
    listed = _every(remote, "/runs", paused="restored")["items"]
    waiting = [remote.get(f"/runs/{each['ref']}") for each in listed]
    plans = _every(remote, "/plans", sort="ref")
    if as_json:
        told = [{name: each[name] for name in ("ref", "drillTitle", "mode", "toCheck")} for each in waiting]
        _show({**plans, "restored": told}, as_json)
        return
    _show(plans, as_json, ("ref", "name", "kind", "status", "provenUntil"))
    for run_ in waiting:
        _tell_restored(run_)


def _tell_restored(found: dict[str, Any]) -> None:
    """A run that came out of a backup, with what a person looks at before it goes on."""
    lines = [f"{found['ref']} {found['drillTitle']} ({found['mode']}) came out of a backup and waits for a look:"]
    lines += [f"  CHECK {each['subject']}: {each['look']['en']}" for each in found["toCheck"]]
    for line in lines:
        out.print(line, soft_wrap=True, markup=False, highlight=False)


@app.command()
def kit(
    services: Annotated[list[str] | None, typer.Argument(help="References such as SVC-004; all without.")] = None,
    to: Annotated[Path, typer.Option("--to", help="Folder for the ZIP files.")] = Path(),
    language: Annotated[str | None, typer.Option(help="nl or en; default the installation's own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write emergency kits, printable without Wissel; without its database the kits that lie ready."""
    from app.reports.kit import hand_out  # the catalogue and the templates are only loaded where a kit is made

    if language not in (None, "nl", "en"):
        _complain("--language is nl or en.")
        raise typer.Exit(2)
    try:
        written = hand_out.write(_settings(), services or [], to, language, now=clock.now())
    except OSError as error:
        _complain(error)
        raise typer.Exit(1) from error
    if not written:
        _complain("No kit lies ready in the data folder, and the database does not answer or holds no service.")
    elif written[0].old:  # else each was made now, whether it was named by its reference or its id
        for missing in sorted({each.upper() for each in services or ()} - {each.service for each in written}):
            _complain(f"No kit of {missing} lies ready in the data folder.")
    if as_json:
        sys.stdout.write(json.dumps([each.as_json() for each in written], ensure_ascii=False, indent=2) + "\n")
    for each in written if not as_json else ():
        out.print(each.told, soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(0 if written and all(each.whole for each in written) else 3)


@app.command("backup")
def back_up(
    file: Annotated[Path, typer.Argument(help="The file to write; never written over.")], as_json: AsJson = False
) -> None:
    """Back up Wissel itself while it works: database and evidence in one file. Exit 1: evidence was missing."""
    from app import keeping, telling  # every domain's tables are only loaded where they are copied

    with telling.progress() as told:
        made = keeping.backup(_settings(), file, told=told)
    if as_json:
        _show(made.as_json(), as_json)
    else:
        telling.backed_up(out, made)
    raise typer.Exit(0 if made.whole else 1)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `wissel backup` wrote.")],
    sha256: Annotated[str | None, typer.Option(help="Its SHA-256, as was told when it was made.")] = None,
    as_json: AsJson = False,
) -> None:
    """Restore into a fresh data folder and an empty database, and say what was running and what to check."""
    from app import keeping, telling

    with telling.progress() as told:
        found = keeping.restore(_settings(), file, expected=sha256, told=told)
    if as_json:
        _show(found.as_json(), as_json)
    else:
        telling.restored(out, found)


@app.command("verify-audit")
def verify_audit(
    head: Annotated[list[str] | None, typer.Option(help="A head that was kept elsewhere; may be repeated.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A public key that you trust, in hexadecimal.")] = None,
    export: Annotated[Path | None, typer.Option(help="An exported log; the database of this Wissel without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the audit log: every event, in its place, as it was. Exit 1: broken; 3: could not look."""
    from app.core.audit import command

    try:
        report, status = command.verify(_settings(), head or [], key or [], export)
    except ValueError as error:
        _complain(error)
        raise typer.Exit(2) from error
    if as_json:
        _show(report, as_json)
    elif status:
        _complain(command.in_words(report))
    else:
        out.print(command.in_words(report), soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(status)


@admin.command()
def migrate() -> None:
    """Bring the database to the newest schema, as the owner of its tables; a start does so too where it may."""
    settings = _settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrations.upgrade(Database(settings.url))


@admin.command()
def link(
    person: Annotated[str, typer.Argument(help="E-mail address, reference or id.")], as_json: AsJson = False
) -> None:
    """Print a one-time sign-in link for somebody who is known already (30 minutes, works once)."""
    settings = _settings()
    with Database(settings.url).transaction() as session:
        found = access.find_person(session, person)
        token, expires = access.make_link(session, found, actor=SYSTEM, now=clock.now())
    _tell_link(settings, found.ref, token, expires, as_json)


@admin.command()
def bootstrap(
    name: Annotated[str, typer.Option(help="Name of the first administrator.")] = "Administrator",
    email: Annotated[str, typer.Option(help="Their e-mail address.")] = "admin@localhost.local",
    as_json: AsJson = False,
) -> None:
    """Make the first administrator; their one-time link (30 minutes) is printed once, and lies in a file of ours."""
    settings = _settings()
    _refuse_to_take_over(settings.data_dir)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url)
    migrations.upgrade(database)
    with database.transaction() as session:
        person, token, expires = access.bootstrap(session, name=name, email=email, now=clock.now())
        kept = _keep_link(settings, token, expires)  # before the commit: a link that nobody can read is none
    _tell_link(settings, person.ref, token, expires, as_json, kept, email)


def _refuse_to_take_over(folder: Path) -> None:
    """What root writes into the folder of the service's user, that user cannot open, and Wissel would not start."""
    owner = folder.stat().st_uid if folder.exists() else 0
    if os.geteuid() == 0 and owner != 0:
        _complain(f"{folder} is of user {owner}: run this as that user (runuser -u NAME -- wissel admin bootstrap)")
        raise typer.Exit(2)


def _keep_link(settings: Settings, token: str, expires: datetime) -> Path:
    """Write the link where only this user of the machine reads it, for who did not see the screen."""
    file = settings.data_dir.absolute() / "first-sign-in.txt"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as out_:
        out_.write(f"{_link(settings, token)}\nworks once, before {expires:%Y-%m-%d %H:%M} UTC\n")
    return file


def _link(settings: Settings, token: str) -> str:
    base = (settings.base_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    return f"{base}/sign-in?token={token}"


def _tell_link(
    settings: Settings,
    person: str,
    token: str,
    expires: datetime,
    as_json: bool,
    file: Path | None = None,
    email: str = "",
) -> None:
    if as_json:
        told = {"person": person, "token": token, "url": _link(settings, token), "expiresAt": expires.isoformat()}
        _show(told | ({"file": str(file)} if file else {}), as_json)
        return
    then = f"\nThere you set up a password; from then on you sign in with {email}." if email else ""
    also = f"\nIt lies in {file} too." if file else ""
    text = f"Sign in once, before {expires:%H:%M} UTC:\n{_link(settings, token)}{also}{then}"
    out.print(text, soft_wrap=True, highlight=False)


@drill.command("list")
def list_drills(as_json: AsJson = False) -> None:
    """All drills."""
    _show(_every(Remote(), "/drills"), as_json, ("ref", "title", "mode", "direction", "nextDueAt"))


@drill.command("show")
def show_drill(key: str, as_json: AsJson = False) -> None:
    """One drill."""
    _show(Remote().get(f"/drills/{key}"), as_json)


@drill.command("plan")
def plan_drill(file: Annotated[Path, typer.Argument(help="JSON as POST /drills takes it.")]) -> None:
    """Plan a drill from a JSON file."""
    try:
        body = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        _complain(f"{file}: {error}")
        raise typer.Exit(2) from error
    _show(Remote().post("/drills", body), as_json=True)


@drill.command("start")
def start_drill(key: str, as_json: AsJson = False) -> None:
    """Start a run of this drill now."""
    _show(Remote().post(f"/drills/{key}/runs"), as_json)


@run.command("list")
def list_runs(as_json: AsJson = False) -> None:
    """All runs, newest first."""
    columns = ("ref", "playbook", "mode", "state", "verdict", "startedAt")
    _show(_every(Remote(), "/runs", sort="-plannedAt"), as_json, columns)


@run.command("show")
def show_run(key: str, as_json: AsJson = False) -> None:
    """One run: its steps, clocks and what may be done now."""
    _show(Remote().get(f"/runs/{key}"), as_json)


@run.command("abort")
def abort_run(key: str, reason: Reason = "") -> None:
    """Stop: no new step, the running one is killed. Always possible."""
    _show(Remote().post(f"/runs/{key}/cancellations", {"reason": reason}), as_json=False)


@run.command("pause")
def pause_run(key: str, reason: Reason = "") -> None:
    """Begin no new step until it is resumed."""
    _show(Remote().post(f"/runs/{key}/pauses", {"reason": reason}), as_json=False)


@run.command("resume")
def resume_run(key: str, reason: Reason = "") -> None:
    """Go on."""
    _show(Remote().post(f"/runs/{key}/resumptions", {"reason": reason}), as_json=False)


@run.command("real")
def real_run(
    key: str,
    reason: Reason = "",
    activate: Annotated[bool, typer.Option("--activate", help="Put the plan to work at once.")] = False,
    lost: Annotated[list[str] | None, typer.Option(help="The side that is lost: primary or fallback.")] = None,
    as_json: AsJson = False,
) -> None:
    """This is real: stop the drill at once, and with --activate fail over in the same moment."""
    then = {"thenActivate": {"lost": {"sides": lost or []}}} if activate else {}
    _show(Remote().post(f"/runs/{key}/reality-calls", {"reason": reason, **then}), as_json)


@run.command("undo")
def undo_run(key: str, reason: Reason = "") -> None:
    """Take back what was changed, in reverse."""
    _show(Remote().post(f"/runs/{key}/undos", {"reason": reason}), as_json=False)


def _user() -> str:
    """Whose command this is, by the system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return str(os.getuid())


def main() -> None:
    """Entry point: problems become one sentence and an exit code, never a trace."""
    audit.ORIGIN.set(f"command-line:{_user()}"[:80])
    try:
        app()
    except ApiRefused as refused:
        _complain(refused)
        sys.exit(refused.exit_code)
    except (Problem, BackupRefused, registry.RunnerRefused) as problem:
        _complain(problem)
        sys.exit(1)
