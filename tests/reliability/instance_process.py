"""`wissel serve` as a process of its own, also where the test is root, which the command refuses to run as."""

import os

from app import serve
from app.core.settings import Settings


def main() -> None:
    """Migrate, publish the shipped playbooks, serve with clock and worker until SIGTERM."""
    if os.geteuid() == 0:
        os.geteuid = lambda: 65534
    serve.web(Settings())


if __name__ == "__main__":
    main()
