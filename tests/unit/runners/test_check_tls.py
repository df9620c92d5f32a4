"""check.tls and check.tcp against real sockets on loopback, with certificates made for the test."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from runners.check.tcp import CheckTcp, CheckTcpParams
from runners.check.tls import CheckTls, CheckTlsParams
from runners.contract import SitePolicy, Verdict
from tests.unit.runners.fake_context import FakeContext, figures

NAME = "permits.example.org"


class Made:
    """An authority, and a certificate of it for a name, valid for so many days."""

    def __init__(self, folder: Path, days: float = 90, name: str = NAME) -> None:
        self.authority_key, self.key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        root = self._builder(authority, authority, self.authority_key, now, 365)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        leaf = self._builder(subject, authority, self.key, now, days)
        leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        self.ca, self.chain = folder / "ca.pem", folder / "chain.pem"
        self.ca.write_bytes(root.sign(self.authority_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        shown = leaf.sign(self.authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)
        self.chain.write_bytes(shown + private)
        self.private = private.decode()

    @staticmethod
    def _builder(subject, issuer, key, now: datetime, days: float) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=issuer,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=400),
            not_valid_after=now + timedelta(days=days),
        )


@contextmanager
def _serving(chain: Path) -> Iterator[str]:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(chain)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError), secure.wrap_socket(link, server_side=True) as plug:
                    plug.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _check(context: FakeContext, address: str, **params: object):
    context.policy = SitePolicy(tcp=(address,))
    checked = CheckTlsParams.model_validate({"address": address, "name": NAME, **params})
    return CheckTls().run(checked, context)


def test_a_right_certificate_passes_with_its_figures(context: FakeContext, tmp_path: Path) -> None:
    made = Made(tmp_path)
    with _serving(made.chain) as address:
        outcome = _check(context, address, ca=str(made.ca))
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert 89 < figures(outcome)["days_left"] < 91
    assert figures(outcome)["subject"] == f"CN={NAME}"


def test_an_unknown_authority_another_name_and_a_past_date_fail(context: FakeContext, tmp_path: Path) -> None:
    made = Made(tmp_path)
    with _serving(made.chain) as address:
        unknown = _check(context, address)
        other = _check(context, address, ca=str(made.ca), name="other.example.org")
    assert unknown.verdict is other.verdict is Verdict.FAILED
    assert figures(unknown)["issuer"] == "CN=Test authority"
    past = Made(tmp_path, days=-1)
    with _serving(past.chain) as address:
        assert _check(context, address, ca=str(past.ca)).verdict is Verdict.FAILED


def test_a_certificate_that_soon_ends_fails(context: FakeContext, tmp_path: Path) -> None:
    made = Made(tmp_path, days=10)
    with _serving(made.chain) as address:
        assert _check(context, address, ca=str(made.ca)).verdict is Verdict.FAILED
        assert _check(context, address, ca=str(made.ca), valid_for="P5D").verdict is Verdict.PASSED


def test_the_key_on_our_side_must_be_the_certificates_own(context: FakeContext, tmp_path: Path) -> None:
    made = Made(tmp_path)
    public = made.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    other = ec.generate_private_key(ec.SECP256R1())
    foreign = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    held = {"private": made.private, "public": public, "foreign": foreign, "nonsense": "x"}
    context.secrets.update({f"secret://{name}": value for name, value in held.items()})
    expected = {"private": "passed", "public": "passed", "foreign": "failed", "nonsense": "unknown", "no": "unknown"}
    with _serving(made.chain) as address:
        for name, verdict in expected.items():
            assert _check(context, address, ca=str(made.ca), key=f"secret://{name}").verdict == verdict, name


def test_no_tls_and_nobody_there_fail_and_a_refused_address_is_not_looked_at(context: FakeContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        assert _check(context, address).verdict is Verdict.FAILED
    assert _check(context, address).verdict is Verdict.FAILED
    context.policy = SitePolicy()
    assert CheckTls().run(CheckTlsParams(address=address), context).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("ca", ["/nowhere/ca.pem", "ca.pem", "/etc/hostname"])
def test_authorities_that_cannot_be_read_are_not_looked_at(context: FakeContext, ca: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = _check(context, f"127.0.0.1:{server.getsockname()[1]}", ca=ca)
    assert outcome.verdict is Verdict.UNKNOWN


def test_tcp_passes_where_something_listens_and_fails_where_nothing_does(context: FakeContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        context.policy = SitePolicy(tcp=(address,))
        assert CheckTcp().run(CheckTcpParams(address=address), context).verdict is Verdict.PASSED
    assert CheckTcp().run(CheckTcpParams(address=address, within="PT0.2S"), context).verdict is Verdict.FAILED
    context.policy = SitePolicy()
    assert CheckTcp().run(CheckTcpParams(address=address), context).verdict is Verdict.UNKNOWN
    context.policy = SitePolicy(tcp=("nosuchname.invalid:80",))
    assert CheckTcp().run(CheckTcpParams(address="nosuchname.invalid:80"), context).verdict is Verdict.UNKNOWN
