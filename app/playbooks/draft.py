"""Turns what was read into the playbook's model, part by part, so that one wrong key does not hide other faults."""

from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.core.messages import Message, say
from app.playbooks.refusals import Notes
from app.playbooks.rules import Guard, Playbook, Step, StepKind
from app.playbooks.yaml_text import Path

Part = TypeVar("Part", bound=BaseModel)
_PLACEHOLDER = {"id": "placeholder", "wait": "PT1S"}
_TITLE = {"nl": "?", "en": "?"}
_LISTS = ("steps", "guards", "injects")
MOST_STEPS = 300
"""Also of guards and of injects. Judging every path takes time that grows with the square of their number."""
MOST_TOLD = 100
"""Faults after which reading goes no further: nobody mends more at once, and a hostile file has thousands."""
_BY_ENTRY = {"inputs", "proves", "options"}
"""Keys of which one bad entry leaves the others readable."""


def build(notes: Notes) -> Playbook | None:
    """The playbook as far as it can be read; None where nothing can be checked further."""
    data = notes.document.data
    if not isinstance(data, dict):
        reason = say("This holds no playbook. Begin with 'playbook: NAME', 'title', 'modes' and 'steps'.")
        notes.breaks((), "not-a-playbook", reason)
        return None
    lists = {name: _items(data, name, notes) for name in _LISTS}
    head = {key: value for key, value in data.items() if key not in _LISTS} | {"steps": [_PLACEHOLDER]}
    missing = {"playbook": "unnamed", "title": _TITLE, "modes": ["live", "rehearsal", "tabletop"]}
    playbook = salvage(Playbook, head, (), notes, missing)
    if playbook is None:
        return None
    parts: dict[str, Any] = {
        "steps": tuple(_step(raw, ("steps", index), notes) for index, raw in lists["steps"]),
        "injects": tuple(_step(raw, ("injects", index), notes) for index, raw in lists["injects"]),
        "guards": tuple(_guard(raw, ("guards", index), notes) for index, raw in lists["guards"]),
    }
    if len(notes.found) >= MOST_TOLD:
        return None
    if not parts["steps"]:
        notes.add(("steps",), "no-steps", say("A playbook needs steps. Add at least one under 'steps:'."))
    return playbook.model_copy(update=parts)


def _items(data: dict[str, Any], name: str, notes: Notes) -> list[tuple[int, dict[str, Any]]]:
    value = data.get(name, [])
    if not isinstance(value, list):
        notes.breaks((name,), "not-a-list", say("'{name}' must be a list: each item begins with a dash.", name=name))
        return []
    if len(value) > MOST_STEPS:
        reason = say(
            "More than {most} items in '{name}' cannot be judged. Split the playbook.", most=MOST_STEPS, name=name
        )
        notes.breaks((name,), "too-many-steps", reason)
        return []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            notes.breaks((name, index), "not-a-mapping", say("Write this item as 'key: value' pairs."))
    return [(index, item if isinstance(item, dict) else {}) for index, item in enumerate(value)]


def _step(raw: dict[str, Any], path: Path, notes: Notes) -> Step:
    found = salvage(Step, raw, path, notes, {"id": _nameless(path)}) if len(notes.found) < MOST_TOLD else None
    return found if found is not None else Step.model_construct(id=_nameless(path))


def _guard(raw: dict[str, Any], path: Path, notes: Notes) -> Guard:
    missing = {"id": _nameless(path), "uses": "?", "every": "PT1S", "from": "unknown-step", "until": "unknown-step"}
    found = salvage(Guard, raw, path, notes, missing)
    return found if found is not None else Guard.model_validate(missing)


def _nameless(path: Path) -> str:
    return f"nameless-{path[0]}-{path[1]}"


def salvage(kind: type[Part], raw: dict[str, Any], path: Path, notes: Notes, missing: dict[str, Any]) -> Part | None:
    """The part without its faulty keys, each noted; `missing` stands in for keys that must be there."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems = error.errors()
    by_place = _by_place(problems, raw)
    for place, same in list(by_place.items())[:MOST_TOLD]:
        notes.breaks((*path, *place), *_explained(same[0], same, place, kind))
    kept = _without(raw, list(by_place))
    try:
        return kind.model_validate({**missing, **kept})
    except ValidationError:
        return None


def _by_place(problems: list[ErrorDetails], raw: Any) -> dict[Path, list[ErrorDetails]]:
    """Problems per place that exists in the file; pydantic also names branches of unions, which do not."""
    places: dict[Path, list[ErrorDetails]] = {}
    for problem in problems:
        places.setdefault(_existing(problem, raw), []).append(problem)
    return places


def _existing(problem: ErrorDetails, raw: Any) -> Path:
    place: list[str | int] = []
    here = raw
    for part in problem["loc"]:
        if isinstance(here, dict) and part in here:
            here = here[str(part)]
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            if problem["type"] == "missing" and isinstance(here, dict):
                place.append(part)
            break
        place.append(part)
    return tuple(place)


def _without(raw: dict[str, Any], places: list[Path]) -> dict[str, Any]:
    kept = {key: dict(value) if key in _BY_ENTRY and isinstance(value, dict) else value for key, value in raw.items()}
    for place in places:
        if len(place) >= 2 and place[0] in _BY_ENTRY and isinstance(kept.get(str(place[0])), dict):
            kept[str(place[0])].pop(place[1], None)
        elif place:
            kept.pop(str(place[0]), None)
    return kept


def _must_be(kind: str, name: str) -> Message | None:
    """What pydantic says in the words of Python, said in those of YAML; None where it says it well enough."""
    match kind:
        case "tuple_type":
            return say("'{name}' must be a list, as in [one, two].", name=name)
        case "dict_type" | "model_type":
            return say("'{name}' must hold 'key: value' pairs.", name=name)
        case "string_type":
            return say("'{name}' must be text. Put a number or a word such as true in quotes.", name=name)
        case "int_type":
            return say("'{name}' must be a whole number, without quotes.", name=name)
        case "bool_type":
            return say("'{name}' must be true or false, without quotes.", name=name)
        case _:
            return None


def _explained(
    problem: ErrorDetails, same: list[ErrorDetails], place: Path, kind: type[BaseModel]
) -> tuple[str, Message]:
    """Stable code and sentence for what pydantic found."""
    name = next((str(part) for part in reversed(place) if isinstance(part, str)), "")
    match problem["type"]:
        case "missing" if name == "timeout":
            return "timeout-missing", say("A time-out is missing. Add 'timeout: PT1M' (the longest time it may take).")
        case "missing":
            return "missing-key", say("'{name}' is missing. Add it.", name=name)
        case "extra_forbidden":
            return _unknown_key(name, place, kind)
        case "enum" | "literal_error":
            allowed = str(problem.get("ctx", {}).get("expected", ""))
            return "unknown-word", say(
                "'{name}' knows this word not. Write one of: {allowed}.", name=name, allowed=allowed
            )
        case "string_pattern_mismatch" if len(same) == 1:
            pattern = str(problem.get("ctx", {}).get("pattern", ""))
            return "wrong-form", say("'{name}' has a wrong form. It must match {pattern}.", name=name, pattern=pattern)
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return "out-of-range", say("'{name}' is out of range: {problem}.", name=name, problem=problem["msg"])
        case wrong if len(same) == 1 and (told := _must_be(wrong, name)):
            return "wrong-value", told
        case _:
            problems = "; or ".join(dict.fromkeys(each["msg"] for each in same))
            return "wrong-value", say("'{name}' has a wrong value: {problem}.", name=name, problem=problems)


def _unknown_key(name: str, place: Path, kind: type[BaseModel]) -> tuple[str, Message]:
    known = sorted(info.alias or key for key, info in kind.model_fields.items()) if len(place) == 1 else []
    close = get_close_matches(name, known, n=1)
    if close:
        reason = say("There is no key '{name}'. Did you mean '{close}'?", name=name, close=close[0])
    elif known:
        reason = say("There is no key '{name}'. Known keys: {known}.", name=name, known=", ".join(known))
    else:
        reason = say("There is no key '{name}' here. Remove it.", name=name)
    return "unknown-key", reason


def given_kinds(raw: Any) -> list[str]:
    """The kinds whose key stands in a step's raw mapping."""
    return [kind.value for kind in StepKind if isinstance(raw, dict) and raw.get(kind.value) is not None]
