"""Reads a playbook's text: one call that answers a checked Playbook, or every reason why it is none."""

from pathlib import Path as FilePath
from typing import Any

from app.core import openness
from app.core.messages import say
from app.playbooks import draft, lost, parameters, references, safety, structure, yaml_text
from app.playbooks.refusals import Notes, PlaybookInvalid, Refusal
from app.playbooks.rules import Playbook
from runners.contract import Registry

__all__ = ["PlaybookInvalid", "Refusal", "check", "load"]


def load(text: str, *, registry: Registry, source: str) -> Playbook:
    """The playbook in `text` (YAML 1.2).

    `registry`: the installed runners. `source`: the file's name, for the messages. Raises `PlaybookInvalid` with all
    that is wrong at once.
    """
    document = yaml_text.read(text)
    notes = Notes(source, document)
    for fault in document.faults:
        notes.add(fault.path, fault.code, fault.reason, line=fault.line)
    notes.broken.update(fault.path for fault in document.faults)
    if document.data is None:
        return _refuse_empty(notes)
    _check_templates(document.data, notes)
    playbook = draft.build(notes)
    if playbook is not None:
        structure.check(playbook, notes)
        parameters.check(playbook, notes, registry)
        safety.check(playbook, notes, registry)
        lost.check(playbook, notes, registry)
    if notes.found or playbook is None:
        raise PlaybookInvalid(source, notes.in_order())
    return Playbook.model_validate(document.data)


def check(path: FilePath, registry: Registry) -> list[Refusal]:
    """All that is wrong with the playbook in a file, in the order of its lines; empty when it is accepted."""
    try:
        load(path.read_bytes().decode("utf-8"), registry=registry, source=path.name)
    except PlaybookInvalid as error:
        return list(error.refusals)
    except OSError as error:
        reason = say("The file cannot be read: {problem}.", problem=error.strerror or str(error))
        return [Refusal(path.name, 1, None, "", "unreadable", reason)]
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [Refusal(path.name, line, None, "", "not-utf8", say("Save the file as UTF-8."))]
    return []


def _refuse_empty(notes: Notes) -> Playbook:
    if not notes.found:
        notes.add((), "not-a-playbook", say("The file is empty. Begin with 'playbook: NAME'."))
    raise PlaybookInvalid(notes.source, notes.in_order())


def _check_templates(data: Any, notes: Notes) -> None:
    """Refuse what looks like a template: nothing is ever filled into a text."""
    for place, value in references.places(data):
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            reason = say("Templates are refused. Only a whole value can be a reference: ${{input}}.")
            notes.breaks(place, "template", reason)
        elif isinstance(value, str) and "${" in value and place[-1] in {"nl", "en"} and "manual" not in place:
            reason = say("A text for people is shown as it stands, nothing is filled in. Remove the reference.")
            notes.breaks(place, "reference-in-text", reason)
        if isinstance(value, str) and "with" not in place and openness.by_form(value):
            reason = say("A secret stands here in plain text. Keep it at the site and write 'secret://NAME'.")
            notes.breaks(place, openness.CODE, reason)
