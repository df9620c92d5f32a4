"""Makes what the drills look at, backups and deposits, and gives the lab's values by name to the organisation."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.lab import backups, deposits
from app.lab.servers import Servers
from runners.contract import Node, Side


@dataclass(frozen=True)
class Material:
    """Values that the organisation's files name with ``$``."""

    values: dict[str, Any]


def make(folder: Path, lab: Servers, *, now: datetime) -> Material:
    """Backups of the running primary and two deposits in `folder`. Raises `ServerFailed`, `ComponentMissing`."""
    primary, pair = lab.databases[Side.PRIMARY], lab.pair()
    good = backups.dump(primary, folder / "backups" / "permits.dump")
    made = {
        "goodDump": good,
        "damagedDump": backups.cut_off(good, folder / "backups" / "civil.dump"),
        "baseBackup": backups.base_backup(primary, folder / "backups" / "permits-base"),
        "goodDeposit": deposits.good(folder / "escrow", now=now),
        "poorDeposit": deposits.poor(folder / "escrow", now=now),
        "proxy": pair.proxy,
    }
    values = {name: shape.model_dump(mode="json", exclude_none=True) for name, shape in made.items() if shape}
    nodes = {"primaryNode": _driver(pair.primary), "fallbackNode": _driver(pair.fallback)}
    return Material({**values, **nodes, "serviceUrl": pair.service})


def _driver(node: Node) -> dict[str, Any]:
    """A node as the catalogue keeps it: its site is a row of its own there."""
    return node.model_dump(mode="json", exclude_none=True, exclude={"site"})
