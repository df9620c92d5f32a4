"""Runs the command `wissel` in this process, as a shell would see it."""

import sys
from dataclasses import dataclass

import pytest

from app import cli


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def wissel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Exit code and what was printed; the terminal is wide, so that no sentence is broken."""
    monkeypatch.setattr(sys, "argv", ["wissel", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "400")
    capsys.readouterr()
    code: object = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code
    told = capsys.readouterr()
    return Ended(code if isinstance(code, int) else 0 if code is None else 1, told.out, told.err)
