"""The web service with its worker as a process of its own, for tests that take its database or its disk away."""

import sys

import uvicorn

from app.core import logs, memory
from app.core.settings import Settings
from app.core.space import Space
from app.main import create_app


def main() -> None:
    """Serve on the port named until SIGTERM; as `wissel serve` does, which does not run as root."""
    memory.be_frugal()
    logs.configure("warning")
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    Space(settings.data_dir.absolute(), settings.reserve_mib).look()  # as `wissel serve` does
    made = create_app(settings, work=True)
    memory.give_back()
    uvicorn.run(
        made, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", log_config=None, timeout_graceful_shutdown=1
    )


if __name__ == "__main__":
    main()
