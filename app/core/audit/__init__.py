"""The audit log: a row for every change, written in the transaction of the change and never changed again.

`record` writes the event; at the commit `chain` gives it its number and its hash. What an event says that may name
people lies beside it (`private`), so that it can be erased without breaking the chain.
"""

from app.core.audit.chain import AuditCheckpoint, AuditLink, seal
from app.core.audit.events import DONE, FAILED, ORIGIN, REFUSED, AuditEvent, attempt, changes, record
from app.core.audit.private import AuditPrivate, shown

__all__ = [
    "DONE",
    "FAILED",
    "ORIGIN",
    "REFUSED",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditLink",
    "AuditPrivate",
    "attempt",
    "changes",
    "record",
    "seal",
    "shown",
]
