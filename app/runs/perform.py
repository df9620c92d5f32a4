"""Does the body of one step attempt in a runner host: looks first where a crash demands it, and keeps the evidence."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core import clock
from app.core.db import Database
from app.core.evidence import EvidenceStore
from app.core.space import notice
from app.runs import steps
from app.runs.hosts import Hosts
from app.runs.rules import Do
from app.runs.words import NO_SPACE
from app.runs.work import GuardLook, Owner, StoredFile, Work
from runners import scratch
from runners.contract import Evidence, Observation, Outcome, SitePolicy, Text, could_not_look
from runners.host_client import HostDied, HostRefused
from runners.host_protocol import Call, HostReply, HostRequest, Progress

log = structlog.get_logger()
_CALLS = {Do.RUN: Call.RUN, Do.UNDO: Call.UNDO}


@dataclass(frozen=True)
class Performed:
    """What came of a body: an outcome, or the reason why there is none (then the step is unknown)."""

    outcome: Outcome | None
    evidence: tuple[StoredFile, ...] = ()
    error: Text | None = None


@dataclass
class Underway:
    """A body at work, as the watchers see it."""

    work: Work
    life: int
    """The life of this process in which the step was begun (`runners.term`)."""
    lines: list[str]
    progress: Progress | None = None
    telling: threading.Lock = field(default_factory=threading.Lock)
    """Held while it is brought into the step's row, so that no line is written twice."""


class Performer:
    """Calls runners in their hosts, one step attempt at a time per thread."""

    def __init__(
        self,
        database: Database,
        evidence: EvidenceStore,
        hosts: Hosts,
        owner: Owner,
        scratch: Path,
        policy: Callable[[], SitePolicy],
    ) -> None:
        self._database, self._evidence, self._hosts, self._owner = database, evidence, hosts, owner
        self._scratch, self._policy = scratch, policy
        self._underway: dict[str, Underway] = {}
        self._lock = threading.Lock()

    def underway(self) -> list[Underway]:
        """The bodies at work now."""
        with self._lock:
            return list(self._underway.values())

    @property
    def life(self) -> int:
        """The present life of this process: a step that is begun now may act as long as this life lasts."""
        return self._hosts.term.life

    @property
    def may_act(self) -> bool:
        """Whether our lease is renewed, so that a body that is begun now is not refused at once."""
        return not self._hosts.term.is_over

    def perform(self, work: Work, life: int) -> Performed | None:
        """Carry it out. Never raises for what a runner or its host does: that is an error in the answer.

        None: our own lease ran out meanwhile and ended the body, or this process stops. That is no word about the
        step: it is as with a worker that was lost, and goes on as its runner's `repeat` permits.
        """
        lapses = self._hosts.term.lapses
        performed = self._performed(work, life)
        term = self._hosts.term
        if performed.outcome is None and (term.is_over or term.lapses != lapses or term.life != life):
            log.warning("the lease ran out under a step", step=work.key)
            return None
        return performed

    def _performed(self, work: Work, life: int) -> Performed:
        folder = self._scratch / work.step_run_id / str(work.attempt)
        scratch.remove(folder)
        state = Underway(work, life, [])
        with self._lock:
            self._underway[work.key] = state
        try:
            folder.mkdir(parents=True)
            return self._look_then_do(work, folder)
        except HostRefused as refused:
            return _unknown(f"De uitvoerder kon niet starten: {refused}", f"The runner host did not start: {refused}")
        except OSError as error:
            if notice(self._database.space, error):
                self._database.was_full = True
                return _unknown(NO_SPACE["nl"], NO_SPACE["en"])
            return _unknown(f"Het bewijs kon niet worden bewaard: {error}", f"The evidence could not be kept: {error}")
        except HostDied as died:
            return _unknown(
                f"De uitvoerder stopte voordat er een uitkomst was ({died.text.nl}). Onbekend is of de stap is gedaan.",
                f"The runner ended before there was an outcome ({died.text.en}). Whether the step was done is unknown.",
            )
        finally:
            self._flush_last(state)
            with self._lock:
                self._underway.pop(work.key, None)
            scratch.remove(folder)

    def look(self, look: GuardLook) -> Outcome:
        """One look of a guard; *unknown* where the host or the runner gave no outcome."""
        name = f"guard:{look.run_id}:{look.guard_id}"
        folder = self._scratch / "guards" / look.run_id / look.guard_id
        folder.mkdir(parents=True, exist_ok=True)
        request = HostRequest(
            id=name,
            call=Call.RUN,
            runner=look.runner,
            params=look.params,
            effect_key=name,
            fencing_token=0,
            deadline=clock.now() + timedelta(seconds=look.timeout),
            evidence=str(folder),
            policy=self._policy(),
        )
        try:
            reply = self._hosts.take(look.run_id, name).call(request)
        except HostDied as died:
            return could_not_look(
                f"Er kon niet worden gekeken: {died.text.nl}.", f"It was not possible to look: {died.text.en}."
            )
        except HostRefused as error:
            return could_not_look(f"Er kon niet worden gekeken: {error}", f"It was not possible to look: {error}")
        finally:
            self._hosts.give_back(look.run_id, name)
            scratch.remove(folder)
        return reply.outcome or could_not_look("De kijker gaf geen uitkomst.", "The probe gave no outcome.")

    def flush(self, state: Underway) -> None:
        """Bring log lines and progress of a body at work into the step's row; what the row did not take is kept."""
        with state.telling:
            if not (state.lines or state.progress):
                return
            lines, progress = list(state.lines), state.progress
            told = progress.model_dump() if progress else None
            work, now = state.work, clock.now()
            with self._database.transaction() as session:
                steps.note(session, work.step_run_id, work.attempt, lines=lines, progress=told, now=now)
            del state.lines[: len(lines)]
            state.progress = None if state.progress is progress else state.progress

    def _flush_last(self, state: Underway) -> None:
        """At the end of a body; its outcome must not be lost because its last words could not be written."""
        try:
            self.flush(state)
        except SQLAlchemyError as error:
            log.warning("the last lines of a step were lost", step=state.work.key, error=str(error).splitlines()[0])

    def _look_then_do(self, work: Work, folder: Path) -> Performed:
        if work.call is not Do.OBSERVE_FIRST:
            return self._do(work, folder)
        reply = self._call(work, Call.OBSERVE, work.observe_runner, work.observe_params, folder)
        if reply.observation is None:
            return _failed_call(reply)
        return self._after_look(work, reply.observation, folder)

    def _after_look(self, work: Work, observation: Observation, folder: Path) -> Performed:
        with self._database.transaction() as session:
            after = steps.observed(
                session, work.step_run_id, work.attempt, observation, owner=self._owner, now=clock.now()
            )
        if after.work is None:
            return Performed(None)  # adopted, or left to a person: the row says which, nothing is left to record
        return self._do(after.work, folder)

    def _do(self, work: Work, folder: Path) -> Performed:
        reply = self._call(work, _CALLS[work.call], work.runner, work.params, folder)
        if reply.outcome is None:
            return _failed_call(reply)
        return Performed(reply.outcome, self._stored(reply.outcome.evidence, folder))

    def _call(self, work: Work, call: Call, runner: str, params: dict[str, object], folder: Path) -> HostReply:
        state = self._underway[work.key]
        host = self._hosts.take(work.run_id, work.key)
        request = HostRequest(
            id=f"{work.key}:{call}",
            call=call,
            runner=runner,
            params=params,
            effect_key=work.effect_key,
            fencing_token=work.fencing_token,
            deadline=work.deadline,
            evidence=str(folder),
            policy=self._policy(),
            soon=work.soon,
            life=state.life,
        )
        try:
            return host.call(request, _keeps_progress(state), state.lines.append)
        finally:
            self._hosts.give_back(work.run_id, work.key)

    def _stored(self, files: tuple[Evidence, ...], folder: Path) -> tuple[StoredFile, ...]:
        stored = []
        for each in files:
            source = (folder / each.path).resolve()
            if not source.is_relative_to(folder.resolve()) or not source.is_file():
                log.warning("evidence outside its folder was left out", path=each.path)
                continue
            self._mask(source)
            kept = self._evidence.put(source)
            title = self._hosts.secrets.masks.mask(each.title or each.path)
            stored.append(StoredFile(kept.sha256, kept.size, each.media_type, title))
        return tuple(stored)

    def _mask(self, file: Path) -> None:
        """Blot out every secret of this site: the runner's host knew only those of its own step."""
        content = file.read_bytes()
        masked = self._hosts.secrets.masks.mask_bytes(content)
        if masked != content:
            file.write_bytes(masked)


def _keeps_progress(state: Underway) -> Callable[[Progress], None]:
    """Keeps the last progress that was told."""

    def keep(progress: Progress) -> None:
        state.progress = progress

    return keep


def _unknown(nl: str, en: str) -> Performed:
    return Performed(None, error=Text(nl=nl, en=en))


def _failed_call(reply: HostReply) -> Performed:
    message = reply.error.message if reply.error else "no answer of the kind that was asked for"
    return _unknown(f"De uitvoerder gaf geen uitkomst: {message}.", f"The runner gave no outcome: {message}.")
