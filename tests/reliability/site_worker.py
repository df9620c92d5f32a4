"""A worker process in the network namespace of its site."""

import subprocess
import sys
from dataclasses import dataclass, field

from tests.reliability.http_target import HttpTarget
from tests.reliability.namespaces import Site
from tests.reliability.processes import CHECKOUT, Ground, WorkerProcess, until


@dataclass
class SiteWorker(WorkerProcess):
    """As any worker, but it sees only the wires of its site."""

    within: tuple[str, ...] = field(default=())

    @staticmethod
    def at(site: Site, ground: Ground, target: HttpTarget, url: str, lease: float) -> "SiteWorker":
        """The worker of a site, not started; it reaches database and target at its own end of the wires."""
        policy = ground.folder / f"policy-{site.number}.yaml"
        policy.write_text(f'http: ["{target.origin}"]\n')
        environment = ground.environment | {
            "WISSEL_DATABASE_URL": url.replace("@127.0.0.1:", f"@{site.database}:"),
            "WISSEL_SITE_POLICY": str(policy),
        }
        made = SiteWorker(ground.folder, f"site-{site.number}", environment, lease_seconds=lease, within=site.within)
        ground.workers.append(made)
        return made

    def start(self) -> "SiteWorker":
        """Start it in its namespace and wait until it works."""
        self.begun += 1
        sign = self.folder / f"{self.name}-{self.begun}"
        own = {"WISSEL_SITES": self.sites, "WISSEL_LEASE_SECONDS": str(self.lease_seconds)}
        own["WISSEL_DATA_DIR"] = str(self.folder / f"data-{self.name}")
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.within, sys.executable, "-m", "tests.reliability.worker_process", str(sign)],
                cwd=CHECKOUT,
                env=self.environment | own,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: sign.exists() or self.process.poll() is not None, f"{self.name} started", 60)
        assert sign.exists(), (self.folder / f"{self.name}.log").read_text()
        return self
