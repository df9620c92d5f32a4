"""Processor time to verify a hundred thousand events, as a file and in the database, beside only hashing its bytes."""

import hashlib
import time
from datetime import UTC, datetime

from app.core.audit import verify_audit
from app.core.audit.signing import Signer
from tests.bench.told import told
from tests.flow.audit_log import new_log

EVENTS = 100_000


def test_verifying_a_hundred_thousand_events(tmp_path):
    log = new_log(tmp_path)
    for _ in range(100):
        log.write(EVENTS // 100, each=1_000, digest="f" * 64)
        Signer(log.settings).sign(log.database, now=datetime.now(UTC), at_once=True)
    file = log.export(tmp_path / "log.jsonl")
    head = log.head()
    begun = time.process_time()
    for line in file.read_bytes().splitlines():
        hashlib.sha256(line).hexdigest()
    hashing = time.process_time() - begun
    for what, path in (("an exported log", file), ("the database", tmp_path / "wissel.db")):
        begun = time.process_time()
        report, status = verify_audit.run(verify_audit.lines_of(path), [head])
        took = time.process_time() - begun
        assert status == 0, report
        assert report["events"] > EVENTS
        figures = f"{report['checkpoints']} signatures and {EVENTS:,} texts with it"
        told(
            f"100,000 audit events verified in {what}, {figures}, processor time against hashing its lines",
            took,
            hashing,
            "s",
            wanted="< 5 s",
        )
    log.database.dispose()
