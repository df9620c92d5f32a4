"""Playbooks that the tests write: a sound one, and the same with one thing changed."""

from app.playbooks.loader import PlaybookInvalid, load
from app.playbooks.rules import Playbook
from runners import registry

SOUND = """\
playbook: move-desk
title: {nl: Loket verplaatsen, en: Move the desk}
modes: [live]
inputs:
  pair: {type: environment-pair}
  from: {type: side}
  to: {type: side}
locks: [pair]
proves: {switchover: [fenced, serve]}
steps:
  - {id: go, decide: {nl: Doorgaan?, en: Go?}, options: {yes: continue, no: stop}, timeout: PT5M, on_timeout: no}
  - id: fence
    uses: postgres.fence
    with: {pair: "${pair}", node: "${from}"}
    timeout: PT1M
    needs: [go]
    undo: {uses: postgres.unfence, with: {pair: "${pair}", node: "${from}"}, timeout: PT1M}
  - {id: fenced, uses: postgres.check-fenced, with: {pair: "${pair}", node: "${from}"}, timeout: PT30S, needs: [fence]}
  - id: final
    uses: postgres.caught-up
    with: {pair: "${pair}", node: "${to}", lsn: "${steps.fence.measurements.final_lsn}"}
    timeout: PT1M
    needs: [fenced]
  - id: promote
    uses: postgres.promote
    with: {pair: "${pair}", node: "${to}"}
    timeout: PT1M
    needs: [final]
    point_of_no_return: true
  - id: serve
    uses: check.http
    with: {url: "${pair.service}", served_by: "${to}", stable_for: PT10S}
    timeout: PT5M
    needs: [promote]
"""


def read(text: str) -> Playbook:
    """The playbook in a text, with the runners that are installed."""
    return load(text, registry=registry.load(), source="test.yaml")


def refused(text: str) -> list[tuple[int, str | None, str, str]]:
    """What a text is refused for: line, step, field, code."""
    try:
        read(text)
    except PlaybookInvalid as error:
        return [(each.line, each.step, each.field, each.code) for each in error.refusals]
    return []


def changed(old: str, new: str) -> str:
    """The sound playbook with one thing changed."""
    assert SOUND.count(old) >= 1, old
    return SOUND.replace(old, new, 1)
