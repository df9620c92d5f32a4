"""Runs one command from the site's own list: the bridge to systems that have no driver."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from runners.cleaning import plain
from runners.contract import (
    CommandTemplate,
    Context,
    Effect,
    Evidence,
    Fencing,
    Frozen,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.switch.bounded import End, Ended, run_bounded
from runners.switch.template import TemplateRefused, resolved

MARGIN = 0.5
NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
"""What a command on a site's list may be called."""


class CommandParams(Frozen):
    """Runs a named command of the site's list with checked parameters; never a shell, never free text.

    Proves: the command ended with status 0. What it did is for a check to prove.
    Cannot see: what the command leaves running outside its own processes.
    Needs: the command in the site's policy, with an absolute path and a regular expression for each parameter. It
    gets `WISSEL_EFFECT_KEY` and `WISSEL_FENCING_TOKEN` in an otherwise clean environment, in a process group of its
    own, with limits on processor time, memory, output and time.
    Bad input: an unknown command, a missing or further parameter, a value that does not match or begins with ``-``,
    a shell in the template: *failed*, and nothing is run. Cut off by time or output: *unknown*, it may be done.
    """

    command: Annotated[str, Field(pattern=f"^{NAME}$")]
    """Name of the template in the site's policy."""
    params: dict[str, str] = {}


class Command(Runner):
    """``switch.command``: observed and undone by the template, where that says how; else a person is asked."""

    name = "switch.command"
    Params = CommandParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.PASSED_ON

    def preview(self, params: CommandParams, context: Context) -> Preview:
        """The resolved argv, or why it is refused."""
        nl, en = "Voert een opdracht van deze locatie uit.", "Runs a command of this site."
        try:
            template = _template(params, context)
            calls = (_shown(resolved(template, template.argv, params.params)),)
            back = _shown(resolved(template, template.undo, params.params)) if template.undo else None
        except TemplateRefused as error:
            return Preview(calls=(f"refused: {error.text.en}",), changes=error.text)
        undo = Text(nl=back, en=back) if back else None
        return Preview(calls=calls, changes=Text(nl=nl, en=en), undo=undo, irreversible=undo is None)

    def observe(self, params: CommandParams, context: Context) -> Observation:
        """Run the template's `observe`: 0 is done, 1 is not done, anything else is unknown."""
        try:
            template = _template(params, context)
            if template.observe is None:
                return _unobservable(template)
            ended = run_bounded(
                resolved(template, template.observe, params.params), _environment(template, context), context
            )
        except TemplateRefused as error:
            return Observation(seen=Seen.UNKNOWN, reason=error.text)
        known = {0: Seen.DONE, 1: Seen.NOT_DONE}
        seen = known.get(ended.status, Seen.UNKNOWN) if ended.how is End.EXITED else Seen.UNKNOWN
        nl, en = f"De kijkopdracht eindigde met {ended.status}.", f"The command that looks ended with {ended.status}."
        return Observation(seen=seen, reason=Text(nl=nl, en=en))

    def run(self, params: CommandParams, context: Context) -> Outcome:
        """Run it once."""
        try:
            template = _template(params, context)
            return _carry_out(template, resolved(template, template.argv, params.params), context)
        except TemplateRefused as error:
            return failed(error.text.nl, error.text.en, Measurement(name="refused", value=error.code))

    def undo(self, params: CommandParams, context: Context) -> Outcome:
        """Run the template's `undo`."""
        try:
            template = _template(params, context)
            if template.undo is None:
                nl, en = "De opdracht noemt niet hoe zij terug kan.", "The command does not say how to undo it."
                return failed(nl, en)
            return _carry_out(template, resolved(template, template.undo, params.params), context)
        except TemplateRefused as error:
            return failed(error.text.nl, error.text.en, Measurement(name="refused", value=error.code))


def _template(params: CommandParams, context: Context) -> CommandTemplate:
    try:
        return context.policy.commands[params.command]
    except KeyError:
        nl = f"Deze locatie staat geen opdracht '{params.command}' toe."
        en = f"This site does not allow a command '{params.command}'."
        raise TemplateRefused("unknown-command", nl, en) from None


def _unobservable(template: CommandTemplate) -> Observation:
    if template.repeat is Repeat.KEYED:
        nl, en = "De opdracht herkent een herhaling zelf; zij mag opnieuw.", "The command knows a repeat; do it again."
        return Observation(seen=Seen.NOT_DONE, reason=Text(nl=nl, en=en))
    nl, en = (
        "De opdracht noemt niet hoe te kijken of zij gedaan is.",
        "The command does not say how to see whether it is done.",
    )
    return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl, en=en))


def _carry_out(template: CommandTemplate, argv: tuple[str, ...], context: Context) -> Outcome:
    ended = run_bounded(argv, _environment(template, context), context)
    output = "\n".join(plain(line) for line in ended.output.splitlines())
    (context.evidence / "output.txt").write_text(output, encoding="utf-8", errors="replace")
    evidence = (Evidence(path="output.txt", title="Output"),)
    figures = (
        Measurement(name="exit_status", value=ended.status),
        Measurement(name="took_ms", value=round(ended.seconds * 1000, 1), unit="ms"),
    )
    text = _said(ended, output)
    verdict = {End.EXITED: failed, End.NOT_STARTED: failed}.get(ended.how, could_not_look)
    moment = None
    if ended.how is End.EXITED and ended.status == 0:
        verdict, moment = passed, datetime.now(UTC)
    supplier = template.needs_supplier
    return verdict(text.nl, text.en, *figures, evidence=evidence, effective_at=moment, needed_supplier=supplier)


def _said(ended: Ended, output: str) -> Text:
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")[:200]
    tail = f": {last}" if last else "."
    match ended.how:
        case End.EXITED if ended.status == 0:
            return Text(nl="De opdracht is uitgevoerd.", en="The command was carried out.")
        case End.EXITED:
            nl = f"De opdracht eindigde met status {ended.status}{tail}"
            return Text(nl=nl, en=f"The command ended with status {ended.status}{tail}")
        case End.NOT_STARTED:
            nl = f"De opdracht kon niet starten{tail}"
            return Text(nl=nl, en=f"The command could not be started{tail}")
        case End.OUT_OF_TIME:
            nl = "De opdracht is afgebroken omdat de tijd om was; zij kan gedaan zijn."
            return Text(nl=nl, en="The command was cut off because its time was up; it may be done.")
        case End.TOO_MUCH_OUTPUT:
            nl = "De opdracht is afgebroken omdat zij te veel uitvoer gaf; zij kan gedaan zijn."
            return Text(nl=nl, en="The command was cut off because it printed too much; it may be done.")


def _environment(template: CommandTemplate, context: Context) -> dict[str, str]:
    own = {"WISSEL_EFFECT_KEY": context.effect_key, "WISSEL_FENCING_TOKEN": str(context.fencing_token)}
    given = {
        name: context.secret(value) if value.startswith("secret://") else value
        for name, value in template.environment.items()
    }
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **given, **own}


def _shown(argv: tuple[str, ...]) -> str:
    return " ".join(f"'{each}'" if not each or " " in each or "'" in each else each for each in argv)
