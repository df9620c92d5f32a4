"""Runner hosts at work: one long-lived child per running branch of a run, killable from any thread."""

import os
import threading
import time
from collections import defaultdict

import structlog

from runners.host_client import HostDied, HostRefused, RunnerHost
from runners.secrets import SiteSecrets
from runners.term import Term

log = structlog.get_logger()
SPARES = 2
"""Hosts kept ready for a run that waits to begin: its first checks often stand beside each other."""
SPARED_FOR = 30.0
"""Seconds for which they are kept when no run waits any more."""


class Hosts:
    """Idle hosts by run, kept because a new Python costs a quarter of a second and its connections are warm."""

    def __init__(self, runner_user: str, secrets: SiteSecrets | None = None) -> None:
        self._user = runner_user
        self.secrets = secrets or SiteSecrets(os.environ)
        self.term = Term()
        self._idle: dict[str, list[RunnerHost]] = defaultdict(list)
        self._busy: dict[str, RunnerHost] = {}
        self._spare: list[RunnerHost] = []
        self._making = False
        self._named: frozenset[str] = frozenset()
        self._wanted_at = -SPARED_FOR
        self._lock = threading.Lock()

    def take(self, run_id: str, step_run_id: str) -> RunnerHost:
        """A living host for one step of this run. Raises `HostRefused` where none can be started."""
        with self._lock:
            waiting = self._idle[run_id]
            # The one that was used last: its connections and drivers are those that the next step needs.
            host = next((each for each in reversed(waiting) if each.alive), None)
            if host is not None:
                waiting.remove(host)
            else:
                host = next((each for each in self._spare if each.alive), None)
                self._spare = [each for each in self._spare if each is not host]
        host = host or RunnerHost(drop_to=self._user, term=self.term, secrets=self.secrets).start()
        with self._lock:
            self._busy[step_run_id] = host
        return host

    def give_back(self, run_id: str, step_run_id: str) -> None:
        """The step is done; its host waits for the next one of the run."""
        with self._lock:
            host = self._busy.pop(step_run_id, None)
            if host is not None and host.alive:
                self._idle[run_id].append(host)

    def kill(self, step_run_id: str) -> None:
        """Kill the host of a running step, with everything below it."""
        with self._lock:
            host = self._busy.get(step_run_id)
        if host is not None:
            host.kill()

    def kill_all(self) -> None:
        """Kill every host at work: this process may no longer act."""
        with self._lock:
            hosts = list(self._busy.values())
        for host in hosts:
            host.kill()

    def prepare(self, names: frozenset[str]) -> None:
        """Have hosts ready that loaded these drivers, for a run that waits to begin; none where none did for a while.

        Asked again and again; what is named only once began by itself meanwhile. Returns at once: what is to be
        started, starts beside.
        """
        with self._lock:
            names, self._named = names & self._named, names
            self._wanted_at = time.monotonic() if names else self._wanted_at
            keep = time.monotonic() - self._wanted_at < SPARED_FOR  # a run that begins now takes them in a moment
            gone = [each for each in self._spare if not (keep and each.alive)]
            self._spare = [each for each in self._spare if each not in gone]
            lacking = bool(names) and len(self._spare) < SPARES and not self._making
            self._making = self._making or lacking
        for host in gone:
            host.close()
        if lacking:
            threading.Thread(target=self._make_spares, args=(sorted(names),), name="spare hosts", daemon=True).start()

    def _make_spares(self, names: list[str]) -> None:
        try:
            while len(self._spare) < SPARES and self._making:
                host = RunnerHost(drop_to=self._user, term=self.term, secrets=self.secrets).start()
                host.warm(names)
                if not self._spared(host):
                    host.close()  # we were closed meanwhile
        except (HostRefused, HostDied) as error:
            log.warning("no runner host could be made ready", error=str(error))  # the step itself will say why
        finally:
            self._making = False

    def _spared(self, host: RunnerHost) -> bool:
        with self._lock:
            if self._making:
                self._spare.append(host)
            return self._making

    def close_runs(self, keep: set[str]) -> None:
        """End the idle hosts of all runs that are not in `keep`."""
        with self._lock:
            gone = [run_id for run_id in self._idle if run_id not in keep]
            hosts = [host for run_id in gone for host in self._idle.pop(run_id)]
        for host in hosts:
            host.close()

    def close(self) -> None:
        """End all hosts."""
        self.kill_all()
        self._making, self._wanted_at = False, -SPARED_FOR
        self.prepare(frozenset())
        self.close_runs(keep=set())
