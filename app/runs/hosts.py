"""Runner hosts at work: one long-lived child per running branch of a run, killable from any thread."""

import threading
from collections import defaultdict

from runners.host_client import RunnerHost
from runners.term import Term


class Hosts:
    """Idle hosts by run, kept because a new Python costs a quarter of a second and its connections are warm."""

    def __init__(self, runner_user: str) -> None:
        self._user = runner_user
        self.term = Term()
        self._idle: dict[str, list[RunnerHost]] = defaultdict(list)
        self._busy: dict[str, RunnerHost] = {}
        self._lock = threading.Lock()

    def take(self, run_id: str, step_run_id: str) -> RunnerHost:
        """A living host for one step of this run. Raises `HostRefused` where none can be started."""
        with self._lock:
            waiting = self._idle[run_id]
            host = next((each for each in waiting if each.alive), None)
            if host is not None:
                waiting.remove(host)
        host = host or RunnerHost(drop_to=self._user, term=self.term).start()
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
        self.close_runs(keep=set())
