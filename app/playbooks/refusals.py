"""What is wrong with a playbook: where it stands, a stable code, and what to do; all collected before one is raised."""

from dataclasses import dataclass, field
from typing import ClassVar

from app.core.errors import FieldError, Problem
from app.core.messages import Message, say
from app.playbooks.yaml_text import Document, Path


@dataclass(frozen=True)
class Refusal:
    """One thing wrong: file, line (from 1), step id or None, field with dots, stable code, and what to do."""

    file: str
    line: int
    step: str | None
    field: str
    code: str
    reason: Message

    def __str__(self) -> str:
        step = f", step '{self.step}'" if self.step else ""
        place = f", field '{self.field}'" if self.field else ""
        return f"{self.file}, line {self.line}{step}{place}: {self.reason} [{self.code}]"

    def as_json(self) -> dict[str, object]:
        """The refusal for an answer or for ``wissel check --json``."""
        return {
            "file": self.file,
            "line": self.line,
            "step": self.step,
            "field": self.field,
            "code": self.code,
            "reason": str(self.reason),
        }


class PlaybookInvalid(Problem):
    """The playbook is refused; `refusals` names everything that is wrong with it, in the order of the file."""

    code: ClassVar[str] = "playbook-invalid"
    title: ClassVar[str] = "The playbook is not valid"

    def __init__(self, source: str, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        self.source = source
        errors = [FieldError(_pointer(each), each.code, str(each)) for each in refusals]
        detail = say(
            "{source} is refused, faults: {count}. Mend them and check again.", source=source, count=len(errors)
        )
        super().__init__(detail, errors=errors, refusals=[each.as_json() for each in refusals])

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self.refusals)


def _pointer(refusal: Refusal) -> str:
    return "/".join(["text", *([f"steps/{refusal.step}"] if refusal.step else []), *refusal.field.split(".")]).rstrip(
        "/"
    )


@dataclass
class Notes:
    """Collects refusals; what follows from a fault that was noted before at the same place is not told again."""

    source: str
    document: Document
    found: list[Refusal] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    """Places with a fault in their shape: what rests on them is not judged."""

    def add(self, path: Path, code: str, reason: Message, *, line: int | None = None) -> None:
        """Note a refusal, unless the place itself is broken already; the line is that of the place."""
        if self.rests_on_broken(path):
            return
        at = self.document.line(path) if line is None else line
        refusal = Refusal(self.source, at, self.step(path), _field(path), code, reason)
        if refusal not in self.found:
            self.found.append(refusal)

    def rests_on_broken(self, path: Path) -> bool:
        """Whether a place, something around it, or something inside this one field is broken already."""
        around = any(path[:length] in self.broken for length in range(1, len(path) + 1))
        return around or (len(path) > 2 and any(each[: len(path)] == path for each in self.broken))

    def faulty_calls(self) -> set[str]:
        """Ids of steps whose runner or parameters were refused, so that nothing can be concluded from them."""
        return {each.step for each in self.found if each.step and each.field.split(".")[0] in {"uses", "with"}}

    def breaks(self, path: Path, code: str, reason: Message) -> None:
        """Note a fault in the shape of a place."""
        self.add(path, code, reason)
        self.broken.add(path)

    def step(self, path: Path) -> str | None:
        """Id of the step (guard, inject) that a place is in, or its number where it has none."""
        if len(path) < 2 or path[0] not in {"steps", "guards", "injects"} or not isinstance(path[1], int):
            return None
        try:
            found = self.document.data[path[0]][path[1]]["id"]
        except (KeyError, IndexError, TypeError):
            found = None
        return found if isinstance(found, str) else f"#{path[1] + 1}"

    def in_order(self) -> tuple[Refusal, ...]:
        """All refusals, by line."""
        return tuple(sorted(self.found, key=lambda each: each.line))


def _field(path: Path) -> str:
    inside = (
        path[2:] if len(path) >= 2 and path[0] in {"steps", "guards", "injects"} and isinstance(path[1], int) else path
    )
    return ".".join(str(part) for part in inside)
