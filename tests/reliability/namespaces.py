"""Sites in network namespaces of their own, joined to the orchestrator by wires that can be cut in either direction.

Only for root on Linux with `ip` and `nft` (Debian: iproute2, nftables): elsewhere the tests say *not run*.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

_OWN = os.getpid() % 60
"""Two runs of these tests on one machine use other networks."""
TARGET = f"10.215.0.{_OWN + 1}"
"""The target's address, which each site reaches over its second wire."""
_TABLE = "inet wissel"


def needed() -> None:
    """Skip where namespaces cannot be made (in CI that is an error)."""
    why = _missing()
    if why is None:
        return
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(f"{why}, and CI must not skip what needs it")
    pytest.skip(f"not run: {why}")


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    probe = f"wissel-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        return f"no network namespace can be made ({made.stderr.strip()})"
    run("ip", "netns", "del", probe)
    return None


def run(*argv: str, given: str | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, input=given)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"


@dataclass(frozen=True)
class Site:
    """A namespace with two wires: one to the orchestrator's database, one to the target of the steps."""

    name: str
    number: int

    @property
    def within(self) -> tuple[str, ...]:
        """What goes before a command that is to run at this site."""
        return ("ip", "netns", "exec", self.name)

    @property
    def database(self) -> str:
        """The orchestrator's address on the first wire."""
        return f"10.213.{4 * _OWN + self.number}.1"

    @property
    def second(self) -> str:
        """The near end of the second wire."""
        return f"10.214.{4 * _OWN + self.number}.1"

    def cut(self, *directions: str) -> None:
        """Drop all packets on the first wire: `out` (from the site), `in` (to it: the answers are lost)."""
        hooks = {"out": ("output", "ip daddr"), "in": ("input", "ip saddr")}
        rules = [f"add table {_TABLE}", f"flush table {_TABLE}"]
        for each in directions:
            hook, match = hooks[each]
            rules.append(f"add chain {_TABLE} {each} {{ type filter hook {hook} priority 0; policy accept; }}")
            rules.append(f"add rule {_TABLE} {each} {match} {self.database} drop")
        run(*self.within, "nft", "-f", "-", given="\n".join(rules) + "\n")

    def mend(self) -> None:
        """Let everything through again."""
        run(*self.within, "nft", "-f", "-", given=f"add table {_TABLE}\ndelete table {_TABLE}\n")


@contextmanager
def sites(*numbers: int) -> Iterator[list[Site]]:
    """These sites, made and taken away again."""
    made: list[Site] = []
    try:
        for number in numbers:
            site = Site(f"wissel-{os.getpid()}-{number}", number)
            made.append(site)
            _make(site)
        yield made
    finally:
        for site in made:
            _end(site)


def _make(site: Site) -> None:
    run("ip", "netns", "add", site.name)
    run(*site.within, "ip", "link", "set", "lo", "up")
    for wire, address in (("d", site.database), ("t", site.second)):
        ours, theirs = f"w{wire}{os.getpid() % 100_000}-{site.number}", f"w{wire}"
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", site.name)
        run("ip", "addr", "add", f"{address}/24", "dev", ours)
        run("ip", "link", "set", ours, "up")
        run(*site.within, "ip", "addr", "add", f"{address.rpartition('.')[0]}.2/24", "dev", theirs)
        run(*site.within, "ip", "link", "set", theirs, "up")
    run("ip", "addr", "add", f"{TARGET}/32", "dev", ours)
    run(*site.within, "ip", "route", "add", TARGET, "via", site.second)


def _end(site: Site) -> None:
    listed = subprocess.run(["ip", "netns", "pids", site.name], capture_output=True, text=True)
    for pid in listed.stdout.split():
        os.kill(int(pid), 9)
    subprocess.run(["ip", "netns", "del", site.name], capture_output=True)
