"""The only way out by HTTP: an allow-list of origins, one look-up of the name, no redirects, no proxies, bounds."""

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

LARGEST = 1_048_576
"""Bytes of an answer that are read; the rest is dropped."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
_ILLEGAL = re.compile(r"[\x00-\x20\x7f\\<>\"{}|^`]|[^\x00-\x7f]")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class UrlRefused(Exception):
    """The URL may not be asked from this site: its form, its origin or the address behind its name."""


class NotAnswered(Exception):
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


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers (names in lower case), the first bytes of the body, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


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
    return Origin(parts.scheme, _host(parts.hostname), number or (443 if parts.scheme == "https" else 80))


def _host(name: str) -> str:
    if ":" in name:
        return str(_ipv6(name))
    last = name.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        # inet_aton reads 2130706433, 0177.0.0.1 and 127.1 as 127.0.0.1: only the plain form is accepted.
        try:
            return str(ipaddress.IPv4Address(name))
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
    if address.ipv4_mapped or address.sixtofour or address.teredo or address.scope_id:
        raise UrlRefused(f"'{name}' hides another address; write that address itself")
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
        return wanted.literal
    try:
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotAnswered(f"the name {wanted.host} cannot be resolved here: {error}", looked=False) from error
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        _proper(wanted.host, address)
    # IPv4 first: a name that also has an IPv6 address is usually reached by both, our own network often is not.
    return min(addresses, key=lambda each: each.version)


def _proper(host: str, address: Address) -> None:
    """A public-looking name that suddenly points at this machine or at a metadata service is an attack."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if host == "localhost" and address.is_loopback:
        return
    odd = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    if mapped or odd:
        raise UrlRefused(f"{host} points to {address}, which only an address itself may do on the list")


class Outgoing:
    """A guarded client for the origins of one site. Each request uses a connection of its own, as a new user would."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = tuple(origins)
        # The system's trust store: a government's own certificate authority is installed there.
        self._trust: ssl.SSLContext | None = None

    def request(
        self, method: str, url: str, *, seconds: float, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Ask once, within `seconds` altogether. Raises `UrlRefused` or `NotAnswered`."""
        wanted = allowed(url, self._origins)
        address = resolve(wanted)
        parts = urlsplit(url)
        host = f"[{address}]" if address.version == 6 else str(address)
        # Connect to what was checked: a second look-up by the client could answer something else.
        pinned = f"{wanted.scheme}://{host}:{wanted.port}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        mine = {"accept-encoding": "identity", "connection": "close", "user-agent": "wissel"}
        mine |= {name.lower(): value for name, value in (headers or {}).items()} | {"host": parts.netloc.lower()}
        with self._client(wanted, seconds) as client:
            request = client.build_request(method, pinned, headers=mine, content=body or None)
            request.extensions["sni_hostname"] = wanted.host
            return _send(client, request, seconds)

    def _client(self, wanted: Origin, seconds: float) -> httpx.Client:
        if wanted.scheme == "https" and self._trust is None:
            self._trust = ssl.create_default_context()
        trust: ssl.SSLContext | bool = self._trust if self._trust is not None else False
        return httpx.Client(verify=trust, trust_env=False, follow_redirects=False, timeout=max(seconds, 0.05))


def _send(client: httpx.Client, request: httpx.Request, seconds: float) -> Answer:
    started = time.monotonic()
    body = b""
    try:
        answer = client.send(request, stream=True)
        try:
            for piece in answer.iter_raw():
                body += piece
                if len(body) >= LARGEST:
                    break
                if time.monotonic() - started > seconds:
                    raise NotAnswered(f"the answer was not complete within {seconds:g} s", looked=True, sent=True)
        finally:
            answer.close()
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NotAnswered(f"no connection: {error or type(error).__name__}", looked=True) from error
    except httpx.TimeoutException as error:
        raise NotAnswered(f"no answer within {seconds:g} s", looked=True, sent=True) from error
    except httpx.HTTPError as error:
        raise NotAnswered(f"{type(error).__name__}: {error}", looked=True, sent=True) from error
    return Answer(answer.status_code, dict(answer.headers), body[:LARGEST], time.monotonic() - started)
