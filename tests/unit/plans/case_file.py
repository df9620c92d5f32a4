"""Reads a file of plan-status cases; its keys are the whole format, and anything else in it is an error."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import ScalarNode

from app.plans import rules

OWN = Path(__file__).parents[2] / "cases" / "plan-status.yaml"
Level = Annotated[int, Field(ge=0, le=5, strict=True)]
Seconds = Annotated[int, Field(ge=0, strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanEntry(Entry):
    exists: Flag
    approved: Flag
    major: Annotated[int, Field(ge=0, strict=True)]
    first_due: AwareDatetime | None = None


class ClaimEntry(Entry):
    id: str
    min_level: Level
    valid_days: Annotated[int, Field(ge=0, strict=True)]
    rto_s: Seconds | None = None
    rpo_s: Seconds | None = None
    min_hold_s: Seconds | None = None
    mbco: float | None = None
    without_supplier: Flag = False
    objects: list[str] = []


class ProofEntry(Entry):
    claim: str
    level: Level
    verdict: rules.Verdict
    at: AwareDatetime
    plan_major: int
    rto_s: float | None = None
    rpo_s: float | None = None
    hold_s: float | None = None
    mbco: float | None = None
    without_supplier: rules.WithoutSupplier = rules.WithoutSupplier.UNKNOWN
    mandatory_skipped: Flag = False
    simulated: Flag = False
    attested: Flag = False


class ChangeEntry(Entry):
    at: AwareDatetime
    objects: list[str] = []
    whole_plan: Flag = False


class FindingEntry(Entry):
    claim: str | None = None
    severity: rules.FindingSeverity
    opened: AwareDatetime
    retested: AwareDatetime | None = None


class Expectation(Entry):
    status: rules.Status
    claims: dict[str, rules.Status] | None = None
    until: AwareDatetime | None = None
    overdue_since: AwareDatetime | None = None


class Case(Entry):
    name: str
    now: AwareDatetime
    plan: PlanEntry
    claims: list[ClaimEntry]
    proofs: list[ProofEntry]
    changes: list[ChangeEntry]
    findings: list[FindingEntry]
    expect: Expectation

    def facts(self) -> rules.Facts:
        """The case as the rules take it."""
        return rules.Facts(
            rules.PlanFacts(self.plan.exists, self.plan.approved, self.plan.major, self.plan.first_due),
            [_claim(entry) for entry in self.claims],
            [_proof(entry) for entry in self.proofs],
            [rules.Change(entry.at, frozenset(entry.objects), entry.whole_plan) for entry in self.changes],
            [rules.Finding(entry.claim, entry.severity, entry.opened, entry.retested) for entry in self.findings],
        )


def _claim(entry: ClaimEntry) -> rules.Claim:
    given = entry.model_dump(exclude={"id", "objects"})
    return rules.Claim(key=entry.id, objects=frozenset(entry.objects), **given)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _proof(entry: ProofEntry) -> rules.Proof:
    durations = {f"{name}_ms": _milliseconds(getattr(entry, f"{name}_s")) for name in ("rto", "rpo", "hold")}
    return rules.Proof(**entry.model_dump(exclude={"rto_s", "rpo_s", "hold_s"}), **durations)


class _Words(SafeConstructor):
    """Leaves moments as text, so that their offset is not lost."""


def _as_text(constructor: SafeConstructor, node: ScalarNode) -> Any:
    return constructor.construct_scalar(node)


_Words.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def load(path: Path) -> list[Case]:
    """The cases of one file. Raises a ValueError that names the case and key which do not fit the format."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Words
    cases = TypeAdapter(list[Case]).validate_python(yaml.load(path.read_text("utf-8")))
    if not cases:
        raise ValueError(f"{path} holds no cases")
    for case in cases:
        keys = [claim.id for claim in case.claims]
        if len(set(keys)) != len(keys):
            raise ValueError(f"case '{case.name}' has two claims with one id")
    return cases


def chosen() -> Path:
    """The file to try: ours, or the one that an auditor names by WISSEL_PLAN_STATUS_CASES."""
    return Path(os.environ.get("WISSEL_PLAN_STATUS_CASES") or OWN)
