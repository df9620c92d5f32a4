"""Building a deposit in the clean room, shared by `escrow.build` and `escrow.smoke`: each builds for itself.

A step may run on another machine or another day than the one before it, and the room leaves nothing behind; so the
smoke test builds again instead of trusting a result that could have been changed in between.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runners.contract import Context, Deposit, Evidence, Measurement, Outcome, could_not_look, failed
from runners.escrow.deposit import Recipe, recipe
from runners.escrow.opened import MIB, RoomParams, with_files
from runners.escrow.sandbox import Finding, NoSandbox, RoomLimits, run
from runners.scratch import throwaway

MARGIN = 2.0
"""Seconds of the step's time that are kept for ending the room and telling the outcome."""
Judge = Callable[[Recipe, Finding], Outcome]


def make(params: RoomParams, context: Context, judge: Judge, *, smoke: bool) -> Outcome:
    """Unpack, build (and with `smoke` start and ask) in the clean room; `judge` speaks when the build went well."""
    deposit: Deposit = params.deposit
    return with_files(deposit, lambda root: _in_room(params, context, root, judge, smoke=smoke))


def _in_room(params: RoomParams, context: Context, root: Path, judge: Judge, *, smoke: bool) -> Outcome:
    how = recipe(root)
    if smoke and how.smoke is None:
        return could_not_look(
            "Het bouwrecept zegt niet hoe het gebouwde wordt gestart en bevraagd.",
            "The recipe does not say how to start and ask what was built.",
        )
    plan = how.model_dump(mode="json")
    if not smoke:
        plan["smoke"] = None
    limits = _limits(params, context)
    if limits.seconds <= 0:
        return could_not_look("Er was geen tijd meer om te bouwen.", "There was no time left to build.")
    try:
        with throwaway("room") as scratch:
            finding = run(plan, root, scratch, limits, context.log)
    except NoSandbox as missing:
        return could_not_look(
            f"Op deze machine kan geen afgesloten bouwruimte worden gemaakt; er is niets gebouwd: {missing}.",
            f"No clean room can be made on this machine, so nothing was built: {missing}.",
        )
    evidence = _evidence(context.evidence, finding)
    outcome = _trouble(how, finding, limits) or judge(how, finding)
    measurements = (
        *outcome.measurements,
        Measurement(name="room_ms", value=round(finding.seconds * 1000), unit="ms"),
        Measurement(name="room_memory", value=finding.memory, unit="bytes"),
    )
    return outcome.model_copy(update={"evidence": evidence, "measurements": measurements, "needed_supplier": False})


def _limits(params: RoomParams, context: Context) -> RoomLimits:
    return RoomLimits(
        seconds=min(params.max_seconds, context.remaining() - MARGIN),
        size=params.max_size_mb * MIB,
        memory=params.max_memory_mb * MIB,
        processes=params.max_processes,
        together=params.max_together_mb * MIB,
    )


def _evidence(folder: Path, finding: Finding) -> tuple[Evidence, ...]:
    log = finding.output
    if finding.cut_off:
        log += f"\n… {finding.cut_off} bytes dropped\n".encode()
    (folder / "build.log").write_bytes(log)
    report: dict[str, Any] = {
        "seconds": round(finding.seconds, 3),
        "timed_out": finding.timed_out,
        "commands": finding.all("ended"),
        "artefacts": finding.all("artefact"),
        "answer": finding.last("answer"),
    }
    (folder / "build.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return (
        Evidence(path="build.log", title="Build log"),
        Evidence(path="build.json", media_type="application/json", title="Commands and artefacts"),
    )


def _trouble(how: Recipe, finding: Finding, limits: RoomLimits) -> Outcome | None:
    """What went wrong before there was something built; None when nothing did."""
    if finding.too_much_memory:
        most = limits.together // MIB
        return failed(
            f"De programma's van het depot namen samen meer dan {most} MiB geheugen en zijn beëindigd.",
            f"The programs of the deposit together took more than {most} MiB of memory and were ended.",
        )
    ended = finding.last("ended")
    if ended is not None and ended["code"] != 0:
        command, last = " ".join(how.build[ended["number"]])[:200], _last_line(finding)
        return failed(
            f"Het bouwen mislukt: '{command}' eindigt met code {ended['code']}; laatste regel: {last}.",
            f"The build fails: '{command}' ends with code {ended['code']}; last line: {last}.",
        )
    if finding.timed_out and len(finding.all("ended")) < len(how.build):
        return failed(
            f"Het bouwen was na {limits.seconds:.0f} seconden niet klaar.",
            f"The build was not done after {limits.seconds:.0f} seconds.",
        )
    trouble = finding.last("trouble")
    if trouble is not None:
        return failed(
            f"Het bouwen mislukt: {trouble['message']}.",
            f"The build fails: {trouble['message']}.",
        )
    missing = finding.last("missing")
    if missing is not None:
        return failed(
            f"Het bouwen slaagt, maar '{missing['path']}' uit het recept is niet gemaakt.",
            f"The build succeeds, but '{missing['path']}' of the recipe was not made.",
        )
    if not finding.all("artefact"):
        return failed("Het bouwen is afgebroken voordat het klaar was.", "The build broke off before it was done.")
    return None


def _last_line(finding: Finding) -> str:
    lines = [line.strip() for line in finding.output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300].rstrip(".") if lines else "-"
