"""A worker whose engine bears the version of an earlier release."""

from app.runs import engine
from tests.reliability import worker_process

if __name__ == "__main__":
    engine.APPLICATION_VERSION = "0"
    worker_process.main()
