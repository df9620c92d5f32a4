"""Two sites in network namespaces of their own with a router between them, on which a pair of real servers runs.

The test itself moves to the side that stays, so what it cannot reach there really cannot be reached. Only for root on
Linux with `ip`, `unshare` and `nsenter`: elsewhere the tests say *not run*. Nothing of the machine's own network is
touched, and the namespaces end with the processes that hold them.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.pair import LabPair, LabProxy, LabServer, lab_folder, until

LOST, STAYS = "10.77.1", "10.77.2"
"""First three numbers of each site's network; the router has .1, the site .2."""
_CLONE_NEWNET = 0x40000000


def needed() -> None:
    """Skip where network namespaces cannot be made."""
    why = None
    if os.geteuid() != 0:
        why = "network namespaces need root"
    for tool in ("ip", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            why = why or f"{tool} is not installed"
    if why is None and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        why = "no network namespace can be made here"
    if why is None:
        return
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(f"{why}, and CI must not skip what needs it")
    pytest.skip(f"not run: {why}")


class Network:
    """A network namespace, held by a process that sleeps."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        own = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink(f"/proc/{self.pid}/ns/net") != own)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def pid(self) -> int:
        return self._holder.pid

    def run(self, *argv: str) -> None:
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-n", *argv], capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and what it starts, is in that network."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(before)
            os.close(there)
            os.close(before)

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()


def _enter(network: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.setns(network, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


class Line:
    """The router between the sites; cut, it drops every packet, as a broken line does."""

    def __init__(self) -> None:
        self.lost, self.stays, self._router = Network(), Network(), Network()
        try:
            self._connect()
        except AssertionError:
            self.end()
            raise

    def _connect(self) -> None:
        for site, prefix, name in ((self.lost, LOST, "lost"), (self.stays, STAYS, "stays")):
            self._router.run(
                "ip", "link", "add", "name", name, "type", "veth", "peer", "name", "line", "netns", str(site.pid)
            )
            self._router.run("ip", "addr", "add", f"{prefix}.1/24", "dev", name)
            self._router.run("ip", "link", "set", name, "up")
            site.run("ip", "addr", "add", f"{prefix}.2/24", "dev", "line")
            site.run("ip", "link", "set", "line", "up")
            site.run("ip", "route", "add", "default", "via", f"{prefix}.1")
        self.mend()

    def mend(self) -> None:
        self._router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def cut(self) -> None:
        self._router.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")

    def end(self) -> None:
        for network in (self.lost, self.stays, self._router):
            network.end()


class SiteServer(LabServer):
    """A server that is reached over the network at its site's address."""

    def __init__(self, folder: Path, name: str, binaries: Path, network: Network, prefix: str) -> None:
        super().__init__(folder, name, binaries)
        self._network = network
        self.dsn = f"host={prefix}.2 port={self.port} user=postgres dbname=postgres connect_timeout=3"

    def configure(self) -> None:
        super().configure()
        with (self.data / "postgresql.conf").open("a") as file:
            # Short, so that the standby sees soon that the line is dead.
            file.write("listen_addresses = '*'\nwal_receiver_timeout = 1s\nwal_sender_timeout = 1s\n")
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.77.0.0/16 trust\nhost replication all 10.77.0.0/16 trust\n")

    def start(self) -> None:
        with self._network.inside():
            super().start()


class SiteProxy(LabProxy):
    """The proxy of the side that stays; it reaches both servers over the network."""

    def __init__(self, folder: Path, binary: Path, primary: LabServer, fallback: LabServer) -> None:
        super().__init__(folder, binary, primary, fallback)
        text = (folder / "haproxy.cfg").read_text()
        text = text.replace(f"127.0.0.1:{primary.port}", f"{LOST}.2:{primary.port}")
        (folder / "haproxy.cfg").write_text(text.replace(f"127.0.0.1:{fallback.port}", f"{STAYS}.2:{fallback.port}"))


@contextmanager
def two_sites() -> Iterator[tuple[LabPair, Line]]:
    """A running pair on two sites, seen from the one that stays; every process and network is gone afterwards."""
    needed()
    line = Line()
    try:
        with lab_folder() as folder, line.stays.inside():
            pair = LabPair(folder)
            binaries = pair.primary.binaries
            pair.primary = SiteServer(folder, "primary", binaries, line.lost, LOST)
            pair.fallback = SiteServer(folder, "fallback", binaries, line.stays, STAYS)
            pair.proxy = SiteProxy(folder, pair.proxy.binary, pair.primary, pair.fallback)
            pair.secrets = {"secret://lab.primary": pair.primary.dsn, "secret://lab.fallback": pair.fallback.dsn}
            try:
                pair.start()
                yield pair, line
            finally:
                pair.end()
    finally:
        line.end()
