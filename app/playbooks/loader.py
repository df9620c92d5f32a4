"""Reads a playbook's text: one call that answers a checked Playbook, or every reason why it is none."""

from dataclasses import dataclass
from typing import ClassVar

from app.core.errors import FieldError, Problem
from app.core.messages import Message, say
from app.playbooks.rules import Playbook
from runners.contract import Registry


@dataclass(frozen=True)
class Refusal:
    """One thing wrong with a playbook: where it stands, a stable code, and what to do."""

    file: str
    line: int
    step: str | None
    field: str
    code: str
    reason: Message

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" + (f", step '{self.step}'" if self.step else "")
        return f"{where}, {self.field or 'whole file'}: {self.reason} [{self.code}]"


class PlaybookInvalid(Problem):
    """The playbook is refused; `refusals` names everything that is wrong with it, in the order of the file."""

    code: ClassVar[str] = "playbook-invalid"
    title: ClassVar[str] = "The playbook is not valid"

    def __init__(self, source: str, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        errors = [FieldError(each.field, each.code, str(each)) for each in refusals]
        detail = say("{source} has {count} faults; mend them and check it again.", source=source, count=len(refusals))
        super().__init__(detail, errors=errors)


def load(text: str, *, registry: Registry, source: str) -> Playbook:
    """The playbook in `text` (YAML 1.2).

    `registry`: the installed runners. `source`: the file's name, for the messages. Raises `PlaybookInvalid` with all
    that is wrong at once.
    """
    import io

    from ruamel.yaml import YAML

    return Playbook.model_validate(YAML(typ="safe", pure=True).load(io.StringIO(text)))
