"""Signed checkpoints: each hundred events, and what is five minutes old, under this installation's own key (Ed25519).

The key is a file that only this user may read, made at the first start. A log names each key in an event before it is
used, so the key of a restored installation, or of a second instance, needs no other place to be known.
"""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session, col, select

from app.core.audit import chain
from app.core.audit.chain import AuditCheckpoint, AuditLink
from app.core.audit.events import AuditEvent, record
from app.core.audit.verify_audit import NONE, canonical, checkpoint, sha256
from app.core.db import Database
from app.core.durable import half, make_folder
from app.core.settings import Settings

EACH = 100
AFTER = timedelta(minutes=5)
ANNOUNCED = "audit.key-announced"


class KeyRefused(RuntimeError):
    """The file of the signing key can't be used."""


class Signer:
    """The key of this process; its file is read, or made, when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.audit_key_file or settings.data_dir.absolute() / "audit-key.pem"
        self._key: Ed25519PrivateKey | None = None

    @property
    def key(self) -> Ed25519PrivateKey:
        """The key."""
        if self._key is None:
            self._key = _read(self.path) if self.path.exists() else _made(self.path)
        return self._key

    @property
    def public(self) -> str:
        """The public key, in hexadecimal."""
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return raw.hex()

    def sign(self, database: Database, *, now: datetime, at_once: bool = False) -> int:
        """Sign what is due, or all that is not signed yet; how many checkpoints were made. Exactly one of two does."""
        with database.transaction(write=False) as session:
            if not _due(session, now, at_once):
                return 0
        with database.transaction() as session:
            chain.one_at_a_time(session)
            return self._sign(session, now, at_once) if _due(session, now, at_once) else 0

    def _sign(self, session: Session, now: datetime, at_once: bool) -> int:
        since = self._announced(session)
        last, (end, _) = chain.last_checkpoint(session), chain.end(session) or (0, NONE)
        done = last.seq if last else 0
        wanted = [seq for seq in range(done + EACH, end + 1, EACH) if seq >= since]
        if not wanted or at_once or _is_old(session, wanted[-1], now):
            wanted += [end] if end not in wanted else []
        name = chain.name(session)
        hashes = dict(
            session.execute(select(AuditLink.seq, AuditLink.hash).where(col(AuditLink.seq).in_(wanted))).all()
        )
        for seq in wanted:
            last = self._after(last, name, seq, hashes[seq], now)
            session.add(last)
        return len(wanted)

    def _after(self, last: AuditCheckpoint | None, name: str, seq: int, hash_: str, now: datetime) -> AuditCheckpoint:
        number, prev = (last.number + 1, sha256(canonical(as_line(last, name)))) if last else (1, NONE)
        made = AuditCheckpoint(number=number, seq=seq, hash=hash_, at=now, prev=prev, key=self.public, signature="")
        unsigned = {each: value for each, value in as_line(made, name).items() if each != "signature"}
        made.signature = self.key.sign(canonical(unsigned)).hex()
        return made

    def _announced(self, session: Session) -> int:
        """The event that names our key to whoever verifies; written now where there is none."""
        wanted = select(AuditLink.seq).join(AuditEvent, col(AuditEvent.id) == AuditLink.event_id)
        found = session.exec(wanted.where(AuditEvent.action == ANNOUNCED, AuditEvent.object_id == self.public)).first()
        if found is not None:
            return found
        record(session, "system", ANNOUNCED, "audit-key", self.public, key=self.public)
        chain.seal(session)
        return (chain.end(session) or (0, NONE))[0]


def as_line(row: AuditCheckpoint, name: str) -> dict[str, object]:
    """A checkpoint as the log tells it."""
    at = row.at.strftime("%Y-%m-%d %H:%M:%S.%f")
    return checkpoint(name, (row.seq, row.number, row.hash, at, row.prev, row.key, row.signature))


def _due(session: Session, now: datetime, at_once: bool) -> bool:
    last, end = chain.last_checkpoint(session), chain.end(session)
    done = last.seq if last else 0
    if end is None or end[0] == done:
        return False
    return at_once or end[0] - done >= EACH or _is_old(session, done, now)


def _is_old(session: Session, done: int, now: datetime) -> bool:
    """Whether the first event after this one has waited long enough; a clock that was set back does not keep it."""
    wanted = select(AuditEvent.at).join(AuditLink, col(AuditLink.event_id) == AuditEvent.id)
    at = session.exec(wanted.where(AuditLink.seq == done + 1)).first()
    return at is not None and abs(now - at) >= AFTER


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyRefused(f"{path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"{path} holds no Ed25519 key")
    return key


def _made(path: Path) -> Ed25519PrivateKey:
    """A new key in its file, for this user alone; that of another process which was quicker, where there was one."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    make_folder(path.parent)
    try:
        with half(path.parent) as written:
            written.file.write(text)
            written.keep(path, over=False)
    except FileExistsError:
        return _read(path)
    return key
