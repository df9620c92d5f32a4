"""Where an address may lead: its form, the allow-list of origins, and what stands behind its name."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

_LABEL = "[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ILLEGAL = re.compile(r"[\x00-\x20\x7f\\<>\"{}|^`]|[^\x00-\x7f]")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TUNNELS = tuple(ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
"""IPv6 networks that carry an IPv4 address at their end: the old compatible form and translation (RFC 6052, 8215)."""
_METADATA = frozenset(ipaddress.ip_address(each) for each in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192"))
"""Metadata services of clouds outside of the link-local networks."""


class UrlRefused(httpx.RequestError):
    """The URL may not be asked from here: its form, its origin or the address behind its name."""


class NotAnswered(httpx.RequestError):
    """Nothing usable came back. `looked` is false where the fault is on our own side, such as an unknown name."""

    def __init__(self, why: str, *, looked: bool, sent: bool = False) -> None:
        super().__init__(why)
        self.looked, self.sent = looked, sent


@dataclass(frozen=True)
class Origin:
    """Scheme, host in lower case (no brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def origin(url: str) -> Origin:
    """The origin of `url`. Raises `UrlRefused` for userinfo, other schemes and disguised addresses."""
    if _ILLEGAL.search(url) or len(url) > 4096:
        raise UrlRefused("the URL holds a character that must be encoded, or is too long")
    try:
        parts = urlsplit(url)
        number = parts.port
    except ValueError as error:
        raise UrlRefused(f"the URL is not valid: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise UrlRefused(f"scheme '{parts.scheme}' is refused; only http and https are allowed")
    if "@" in parts.netloc:
        raise UrlRefused("a user name or password in a URL is refused; give secrets by reference")
    if parts.hostname is None:
        raise UrlRefused("the URL names no host")
    if number == 0:
        raise UrlRefused("port 0 is refused")
    return Origin(parts.scheme, host(parts.hostname), number or (443 if parts.scheme == "https" else 80))


def host(name: str) -> str:
    """The one way to write a host. Raises `UrlRefused` where it hides another, or is an address nobody serves at."""
    if ":" in name:
        return str(_usable(_ipv6(name)))
    last = name.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        # inet_aton reads 2130706433, 0177.0.0.1 and 127.1 as 127.0.0.1: only the plain form is accepted.
        try:
            return str(_usable(ipaddress.IPv4Address(name)))
        except ValueError:
            raise UrlRefused(f"'{name}' is a disguised address; write four decimal numbers") from None
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise UrlRefused(f"'{name}' is not a host name")
    return name


def _ipv6(name: str) -> ipaddress.IPv6Address:
    try:
        address = ipaddress.IPv6Address(name)
    except ValueError:
        raise UrlRefused(f"'{name}' is not an IPv6 address") from None
    if _hides_another(address) or address.scope_id:
        raise UrlRefused(f"'{name}' hides another address; write that address itself")
    return address


def _hides_another(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback or address.is_unspecified:
        return False
    tunnelled = address.ipv4_mapped or address.sixtofour or address.teredo
    return bool(tunnelled) or any(address in network for network in _TUNNELS)


def _usable(address: Address) -> Address:
    """An address that a service can stand at. Who asks a cloud's metadata service gets the keys of the machine."""
    kept_back = address.version == 4 and address.is_reserved
    if address.is_link_local or address.is_multicast or address.is_unspecified or kept_back:
        raise UrlRefused(f"{address} is refused: no service stands there, or only one that hands out credentials")
    if address in _METADATA:
        raise UrlRefused(f"{address} is refused: it hands out the credentials of this machine")
    return address


def allowed(url: str, origins: Iterable[str]) -> Origin:
    """The origin of `url`, where it is on the site's list. Raises `UrlRefused`."""
    wanted = origin(url)
    listed = set()
    for each in origins:
        with suppress(UrlRefused):  # a bad line of the list allows nothing
            listed.add(origin(each))
    if wanted not in listed:
        raise UrlRefused(f"{wanted} is not on the list of origins that this site may ask")
    return wanted


def allowed_address(address: str, listed: Iterable[str]) -> Origin:
    """The target of a plain connection to ``host:port``, where it is on the site's list. Raises `UrlRefused`."""
    wanted = _target(address)
    targets = set()
    for each in listed:
        with suppress(UrlRefused):
            targets.add(_target(each))
    if wanted not in targets:
        raise UrlRefused(f"{address} is not on the list of addresses that this site may connect to")
    return wanted


def _target(address: str) -> Origin:
    if not re.fullmatch(r"[^/?#@]+:[0-9]{1,5}", address):
        raise UrlRefused("an address is host:port")
    found = origin(f"http://{address}")
    return Origin("tcp", found.host, found.port)


def connect(wanted: Origin, seconds: float) -> socket.socket:
    """A plain connection to the one address that was checked. Raises `UrlRefused` or `NotAnswered`."""
    address = resolve(wanted)
    try:
        return socket.create_connection((str(address), wanted.port), timeout=max(seconds, 0.05))
    except OSError as error:
        raise NotAnswered(f"no connection to {address}:{wanted.port}: {error}", looked=True) from error


def resolve(wanted: Origin) -> Address:
    """The one address to connect to. Raises `UrlRefused` for an address that the name has no business with."""
    if wanted.literal is not None:
        return _usable(wanted.literal)
    try:
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotAnswered(f"the name {wanted.host} cannot be resolved here: {error}", looked=False) from error
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        _proper(wanted.host, address)
    # IPv4 first: a name that also has an IPv6 address is usually reached by both, our own network often is not.
    return min(addresses, key=lambda each: each.version)


def _proper(name: str, address: Address) -> None:
    """A public-looking name that suddenly points at this machine or at a metadata service is an attack."""
    if name == "localhost" and address.is_loopback:
        return
    if _hides_another(address) or address.is_loopback:
        raise UrlRefused(f"{name} points to {address}, which only an address itself may do on the list")
    try:
        _usable(address)
    except UrlRefused as error:
        raise UrlRefused(f"{name} points to {error}") from error
