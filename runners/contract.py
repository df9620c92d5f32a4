"""All that the author of a driver reads: the Runner class and the frozen shapes that go in and come out.

A driver (runner) describes itself: its name, what it may do (`effect`), how its effect may be repeated after a
crash (`repeat`), which safety facts it provides and requires, and a pydantic `Params` model that both checks the
playbook and types `run`. Publish it under the entry-point group ``wissel.runners``; nothing else lists drivers.

Durations are seconds unless a name ends in ``_ms``; times are timezone-aware UTC; paths are absolute.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Kept = TypeVar("Kept")


class Effect(StrEnum):
    """What a runner may do to the world; decides in which modes it can be reached and which level it can prove."""

    OBSERVES = "observes"
    ISOLATED = "isolated"
    CHANGES = "changes"


class Repeat(StrEnum):
    """How an effect may be repeated after a crash: the target checks the key, we look first, or a person decides."""

    KEYED = "keyed"
    OBSERVABLE = "observable"
    NEVER = "never"


class Fencing(StrEnum):
    """What keeps a worker that woke up late from acting after another one took over its step.

    Every host ends by itself before its worker's lease is over. Beyond that: `target`, the target itself holds the
    highest fencing token and an older one is refused there; `passed on`, the token goes to a target that can refuse
    it, and whether it does is the target's matter; `lease`, nothing more than the lease.
    """

    TARGET = "target"
    PASSED_ON = "passed on"
    LEASE = "lease"


class Verdict(StrEnum):
    """Three-valued on purpose: `unknown` means that we could not look, and never means that it works."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Seen(StrEnum):
    """What `observe` found: the effect is there, is not there, or could not be determined."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


class Side(StrEnum):
    """A side of an environment pair: a role by design, whichever of the two serves at the moment."""

    PRIMARY = "primary"
    FALLBACK = "fallback"

    @property
    def other(self) -> "Side":
        """The opposite side of the pair."""
        return Side.FALLBACK if self is Side.PRIMARY else Side.PRIMARY


class Frozen(BaseModel):
    """Base of every shape here: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Frozen):
    """A sentence for people in both languages of the product."""

    nl: str
    en: str


SECRET_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # noqa: S105 - a pattern
"""What a secret may be called: never a path."""


def _secret_reference(value: str) -> str:
    if not re.fullmatch(f"secret://{SECRET_NAME}", value):
        raise ValueError("a secret is given by reference: secret://NAME (letters, digits, dot, dash, underscore)")
    return value


SecretRef = Annotated[str, AfterValidator(_secret_reference)]
"""``secret://NAME``: resolved by `Context.secret` at the site that runs the step; the value is never stored."""


class Node(Frozen):
    """One side of a pair of database servers, as the drivers reach it from its own site."""

    site: str
    """Name of the site; the worker of this site runs the steps that name this node."""
    dsn: SecretRef | None = None
    """Connection string (libpq) by reference: superuser-like rights, also used for replication by the other side."""
    data_directory: str | None = None
    binaries: str | None = None
    """Folder with pg_ctl, pg_controldata, pg_rewind of this server's version."""
    health: str | None = None
    """URL that answers 200 while the service on this side works."""
    slot: str | None = None
    """Replication slot that this node uses on its upstream when it is the standby."""


class Proxy(Frozen):
    """A HAProxy in front of both sides, steered through its runtime socket."""

    socket: str
    """Path of the UNIX socket, or host:port."""
    backend: str
    primary: str
    """Name of the server line that stands for the primary side."""
    fallback: str

    def server(self, side: Side) -> str:
        """Name of the server line of `side`."""
        return self.primary if side is Side.PRIMARY else self.fallback


class EnvironmentPair(Frozen):
    """A service's two environments: what a playbook's ``environment-pair`` input stands for."""

    name: str
    primary: Node
    fallback: Node
    service: str | None = None
    """URL that the users of the service use, whichever side serves."""
    proxy: Proxy | None = None

    def node(self, side: Side) -> Node:
        """The node that plays `side` by design."""
        return self.primary if side is Side.PRIMARY else self.fallback


class ExpectedTable(Frozen):
    """What a restored table must at least contain."""

    name: str
    """Schema-qualified or plain table name."""
    min_rows: int = Field(default=1, ge=0)
    rows: int | None = Field(default=None, ge=0)
    """Exact number of rows at the moment of the backup, where it is known."""
    checksum: str | None = None
    """Checksum of the content in the order of the primary key, as `backup.verify-*` describes it, where known."""
    newest: str | None = None
    """Timestamp column whose maximum gives the age of the newest row (the measured RPA)."""
    text: str | None = None
    """Text column with characters outside ASCII, to notice data stored in the wrong encoding."""


class Backup(Frozen):
    """A backup that can be restored and looked at: what a playbook's ``backup`` input stands for."""

    kind: Literal["dump", "basebackup"]
    path: str
    """Dump file (custom or plain format) or folder of the base backup."""
    binaries: str | None = None
    """Folder with the PostgreSQL binaries to restore with; default: those found on the worker."""
    taken_at: datetime | None = None
    """When the backup was made; the RPA is measured from here back to the newest row."""
    database: str = "postgres"
    """Database to look in after a base backup was started."""
    role: str | None = None
    """Role to connect as in a started base backup; default: the bootstrap superuser."""
    tables: tuple[ExpectedTable, ...] = ()


class Deposit(Frozen):
    """An escrow deposit: what a playbook's ``deposit`` input stands for."""

    archive: str
    """Path of the deposit: a .tar, .tar.gz, .tar.xz, .tar.bz2 or .zip file."""
    signature: str
    """Path of the detached Ed25519 signature (64 raw bytes, or base64) over the archive."""
    public_key: str
    """Ed25519 public key of the depositor, base64, obtained apart from the deposit."""
    version: str | None = None
    """Version that production runs; the deposit may not lag behind it."""


class Measurement(Frozen):
    """A value that was really measured."""

    name: str
    value: int | float | str | bool
    unit: str = ""
    """s, ms, bytes, rows, … ; empty for text."""


class Evidence(Frozen):
    """A file in the step's evidence folder that shows what was seen."""

    path: str
    """Relative to `Context.evidence`."""
    media_type: str = "text/plain"
    title: str = ""


class Outcome(Frozen):
    """What came of a run or an undo. An expected failure is a value: verdict `failed` with the true reason."""

    verdict: Verdict
    reason: Text
    measurements: tuple[Measurement, ...] = Field(default=(), max_length=1000)
    evidence: tuple[Evidence, ...] = Field(default=(), max_length=200)
    effective_at: datetime | None = None
    """When the effect began to hold (the beginning of the stable period), by this machine's clock."""
    needed_supplier: bool | None = None
    """Whether an account, site or network of the supplier was used; None where the runner cannot know."""
    warning: bool = False
    """Passed, but with something a person should read."""


class Observation(Frozen):
    """What was seen of an effect, without changing anything."""

    seen: Seen
    reason: Text
    measurements: tuple[Measurement, ...] = ()


class Preview(Frozen):
    """What would be done, in resolved calls, for the person who approves it."""

    calls: tuple[str, ...]
    """Each resolved call: argv, SQL, URL; secrets stay references."""
    changes: Text
    undo: Text | None = None
    irreversible: bool = False


class Fact(Frozen):
    """A safety fact about a node, named by the parameters that say which pair and which node."""

    kind: str
    """`fenced` or `caught-up`."""
    pair: str = "pair"
    """Name of the parameter that holds the pair."""
    node: str = "node"
    """Name of the parameter that holds the side."""
    opposite: bool = False
    """Whether the fact is about the other side than the one the parameter names."""


class CommandTemplate(Frozen):
    """One command on a site's allow-list: argv with typed parameters, never a shell."""

    argv: tuple[str, ...]
    """Absolute path first; ``{name}`` stands for a whole argument."""
    params: dict[str, str] = {}
    """Parameter name → regular expression that its value must match wholly."""
    environment: dict[str, str] = {}
    """Further variables of the command; ``secret://NAME`` as a whole value is resolved at this site."""
    observe: tuple[str, ...] | None = None
    """Argv that exits 0 when the effect is there, 1 when it is not; anything else is unknown."""
    undo: tuple[str, ...] | None = None
    repeat: Repeat = Repeat.NEVER
    needs_supplier: bool | None = None


class SitePolicy(Frozen):
    """What the worker of one site may touch; kept in a file at that site, not in the application."""

    commands: dict[str, CommandTemplate] = {}
    http: tuple[str, ...] = ()
    """Allowed origins, each ``scheme://host:port``."""
    tcp: tuple[str, ...] = ()
    """Allowed ``host:port`` for plain connections (`check.tcp`, `check.tls`)."""
    ca_file: Path | None = None
    """PEM file of authorities that are believed besides those of the system, by runners that call an origin."""


class Context(Protocol):
    """What a runner gets beside its parameters; made anew for each call."""

    effect_key: str
    """``run:step:generation``: the same for each attempt at one effect, for targets that check a key."""
    fencing_token: int
    """Grows with each owner of the environment's lock; targets that can, refuse a lower one."""
    deadline: datetime
    evidence: Path
    """Existing empty folder for this attempt's evidence files."""
    policy: SitePolicy

    def remaining(self) -> float:
        """Seconds until the deadline, never negative; 0 once others may hold the step."""
        ...

    def secret(self, reference: str) -> str:
        """Value of ``secret://NAME``, of those that the parameters or the command's own list name.

        Raises `SecretMissing` where this site does not hold it.
        """
        ...

    def progress(self, done: int, total: int, text: str) -> None:
        """Tell how far a long step is."""
        ...

    def log(self, line: str) -> None:
        """Add a line to the log of the step; shown to people as plain text."""
        ...

    def keep(self, key: str, make: Callable[[], Kept]) -> Kept:
        """An object kept for the life of this runner host (a database connection), made on first use."""
        ...

    def forget(self, key: str) -> None:
        """Drop a kept object, closing it where it has `close()`."""
        ...


class SecretMissing(Exception):
    """The site that runs the step does not hold the secret; a check answers *could not look*. `text` is for people."""

    def __init__(self, text: Text | str) -> None:
        self.text = text if isinstance(text, Text) else Text(nl=text, en=text)
        super().__init__(self.text.en)


class Runner(ABC):
    """A driver: the base class of everything that a playbook's ``uses`` can name."""

    name: ClassVar[str]
    """family.verb, e.g. ``postgres.promote``."""
    Params: ClassVar[type[BaseModel]]
    """Parameters: checks the playbook and types `run`; its docstring is the page in the catalogue of runners."""
    effect: ClassVar[Effect]
    repeat: ClassVar[Repeat]
    fencing: ClassVar[Fencing] = Fencing.LEASE
    """What refuses an old fencing token; for a runner that changes nothing it has no meaning."""
    provides: ClassVar[tuple[Fact, ...]] = ()
    requires: ClassVar[tuple[Fact, ...]] = ()
    rejoins: ClassVar[bool] = False
    """Whether it lets the side that `node` names take part again; refused while something is owed to that side."""
    dsns: ClassVar[tuple[str, ...]] = ()
    """Of a pair, whose connection string it can't do without: names of the parameters that hold a side, or ``other``
    for the side that `node` does not name. A site that lacks one is told before a run begins."""
    probe: ClassVar[bool] = False
    """Whether a pass is an independent look at which side serves or takes writes (needed for level 4 and up)."""

    def site(self, params: Any) -> str | None:
        """Name of the site that must run the step; None: the orchestrator's own. Default: the site of `node`."""
        pair, side = getattr(params, "pair", None), getattr(params, "node", None)
        if isinstance(pair, EnvironmentPair) and isinstance(side, Side):
            return pair.node(side).site
        return None

    @abstractmethod
    def preview(self, params: Any, context: Context) -> Preview:
        """The resolved calls. Must not touch anything outside."""

    @abstractmethod
    def observe(self, params: Any, context: Context) -> Observation:
        """Look whether the effect of `run` is there, changing nothing."""

    @abstractmethod
    def run(self, params: Any, context: Context) -> Outcome:
        """Do it. Expected failures are outcomes; an exception is a bug and makes the step *unknown*."""

    def undo(self, params: Any, context: Context) -> Outcome:
        """Take the effect back; only reached where the playbook's step names this runner as its undo by default."""
        del params, context
        text = Text(nl=f"{self.name} kan niet worden teruggedraaid", en=f"{self.name} cannot be undone")
        return Outcome(verdict=Verdict.UNKNOWN, reason=text)


Registry = Mapping[str, Runner]
"""Runners by name, as `runners.registry.load` finds them."""


def passed(nl: str, en: str, *measurements: Measurement, **more: Any) -> Outcome:
    """An outcome with verdict *passed*."""
    return Outcome(verdict=Verdict.PASSED, reason=Text(nl=nl, en=en), measurements=measurements, **more)


def failed(nl: str, en: str, *measurements: Measurement, **more: Any) -> Outcome:
    """An outcome with verdict *failed*: it was looked at, and it does not work."""
    return Outcome(verdict=Verdict.FAILED, reason=Text(nl=nl, en=en), measurements=measurements, **more)


def could_not_look(nl: str, en: str, *measurements: Measurement, **more: Any) -> Outcome:
    """An outcome with verdict *unknown*: a tool, right or connection is missing, so nothing was proven."""
    return Outcome(verdict=Verdict.UNKNOWN, reason=Text(nl=nl, en=en), measurements=measurements, **more)
