"""Worker processes that are not as usual: in the namespace of a site, with a clock to set, of another version."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability import old_version_process, set_clock_process
from tests.reliability.http_target import HttpTarget
from tests.reliability.namespaces import Site
from tests.reliability.processes import CHECKOUT, Ground, WorkerProcess, until


@dataclass
class OtherWorker(WorkerProcess):
    """`module`: what the process runs; `within`: what goes before the command."""

    module: str = "tests.reliability.worker_process"
    within: tuple[str, ...] = ()
    more: dict[str, str] = field(default_factory=dict)

    def start(self) -> "OtherWorker":
        """Start it and wait until it works."""
        self.begun += 1
        sign = self.folder / f"{self.name}-{self.begun}"
        own = {"WISSEL_SITES": self.sites, "WISSEL_LEASE_SECONDS": str(self.lease_seconds)}
        own["WISSEL_DATA_DIR"] = str(self.folder / f"data-{self.name}")
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.within, sys.executable, "-m", self.module, str(sign)],
                cwd=CHECKOUT,
                env=self.environment | own | self.more,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: sign.exists() or self.process.poll() is not None, f"{self.name} started", 60)
        assert sign.exists(), (self.folder / f"{self.name}.log").read_text()
        return self


def at_site(site: Site, ground: Ground, target: HttpTarget, url: str, lease: float) -> OtherWorker:
    """The worker of a site, not started; it reaches the database at its own end of the wire, and may ask the target."""
    policy = ground.folder / f"policy-{site.number}.yaml"
    policy.write_text(f'http: ["{target.origin}"]\n')
    more = {
        "WISSEL_DATABASE_URL": url.replace("@127.0.0.1:", f"@{site.database}:"),
        "WISSEL_SITE_POLICY": str(policy),
    }
    return _kept(
        ground,
        OtherWorker(
            ground.folder,
            f"site-{site.number}",
            ground.environment,
            lease_seconds=lease,
            within=site.within,
            more=more,
        ),
    )


def of_an_older_version(ground: Ground, name: str, lease: float) -> OtherWorker:
    """A worker of a release whose engine had another version, not started."""
    module = old_version_process.__name__
    return _kept(ground, OtherWorker(ground.folder, name, ground.environment, lease_seconds=lease, module=module))


def with_a_clock_to_set(ground: Ground, name: str, lease: float) -> OtherWorker:
    """A worker whose clock on the wall `set_clock` sets, not started."""
    more = {set_clock_process.SET: str(_clock(ground.folder, name))}
    module = set_clock_process.__name__
    return _kept(
        ground, OtherWorker(ground.folder, name, ground.environment, lease_seconds=lease, module=module, more=more)
    )


def set_clock(worker: WorkerProcess, seconds: float) -> None:
    """By so much more or less than the machine's."""
    file = _clock(worker.folder, worker.name)
    fresh = file.with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.replace(file)


def _clock(folder: Path, name: str) -> Path:
    return folder / f"{name}.clock"


def _kept(ground: Ground, worker: OtherWorker) -> OtherWorker:
    ground.workers.append(worker)
    return worker
