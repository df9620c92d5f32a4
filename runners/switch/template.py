"""Turns a site's command template and a playbook's parameters into one argv, or says why not."""

import os
import re
from pathlib import PurePosixPath

from runners.contract import CommandTemplate, Text

SHELLS = frozenset(
    [
        *("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "busybox"),
        *("rbash", "tcsh", "pwsh", "ssh", "parallel", "watch", "script"),
        *("env", "xargs", "nohup", "setsid", "sudo", "su", "doas", "runuser", "pkexec", "systemd-run"),
        *("timeout", "nice", "ionice", "stdbuf", "flock", "chroot", "unshare", "nsenter", "setpriv", "time"),
    ]
)
"""Programs that read a command from their arguments; a parameter could become any command."""
INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|nodejs|php|lua|tclsh|gawk|mawk|awk)[0-9.]*")
FREE_FORM = frozenset(["-c", "-e", "-E", "-r", "-p", "-", "--eval", "--print", "--run"])
_CLUSTER = re.compile(r"-[A-Za-z]+[cerEp]")
"""Short options of an interpreter written together, as in ``-Ic`` and ``-ne``: the next argument is code."""
LONGEST = 1000
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class TemplateRefused(Exception):
    """The command may not be run like this; nothing was run. `code` is stable."""

    def __init__(self, code: str, nl: str, en: str) -> None:
        super().__init__(en)
        self.code = code
        self.text = Text(nl=nl, en=en)


def resolved(template: CommandTemplate, argv: tuple[str, ...], values: dict[str, str]) -> tuple[str, ...]:
    """`argv` with each ``{name}`` replaced by its checked value. Raises `TemplateRefused`."""
    _check_program(argv)
    for name in template.params.keys() - values.keys():
        raise TemplateRefused("parameter-missing", f"Parameter '{name}' ontbreekt.", f"Parameter '{name}' is missing.")
    for name in values.keys() - template.params.keys():
        nl = f"De opdracht kent geen parameter '{name}'."
        raise TemplateRefused("unknown-parameter", nl, f"The command has no parameter '{name}'.")
    for name, value in values.items():
        _check_value(name, value, template.params[name])
    return (argv[0], *(_filled(part, values) for part in argv[1:]))


def _check_program(argv: tuple[str, ...]) -> None:
    if not argv or not argv[0].startswith("/") or ".." in PurePosixPath(argv[0]).parts:
        nl = "De opdracht op de lijst begint niet met een absoluut pad."
        raise TemplateRefused("not-absolute", nl, "The command on the list does not begin with an absolute path.")
    # The name as written and the one behind a link: /bin/sh is often a link to dash.
    names = {PurePosixPath(argv[0]).name, PurePosixPath(os.path.realpath(argv[0])).name}
    free = any(INTERPRETERS.fullmatch(name) for name in names) and (
        len(argv) < 2
        or _PLACE.fullmatch(argv[1]) is not None
        or any(part in FREE_FORM or _CLUSTER.fullmatch(part) for part in argv[1:])
    )
    if names & SHELLS or free:
        nl = f"{argv[0]} voert vrije tekst uit en mag niet op de lijst."
        raise TemplateRefused("free-text", nl, f"{argv[0]} carries out free text and may not be on the list.")


def _check_value(name: str, value: str, pattern: str) -> None:
    if value.startswith("-"):
        nl = f"De waarde van '{name}' begint met een streepje en kan een optie worden."
        raise TemplateRefused(
            "leading-dash", nl, f"The value of '{name}' begins with a dash and could become an option."
        )
    if len(value) > LONGEST or any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        nl = f"De waarde van '{name}' is te lang of heeft stuurtekens."
        raise TemplateRefused("unreadable-value", nl, f"The value of '{name}' is too long or holds control characters.")
    try:
        matches = re.fullmatch(pattern, value)
    except re.error as error:
        nl = f"Het patroon van '{name}' op de lijst is ongeldig: {error}."
        raise TemplateRefused(
            "bad-pattern", nl, f"The pattern of '{name}' on the list is not valid: {error}."
        ) from error
    if matches is None:
        nl = f"De waarde van '{name}' past niet op {pattern}."
        raise TemplateRefused("value-does-not-match", nl, f"The value of '{name}' does not match {pattern}.")


def _filled(part: str, values: dict[str, str]) -> str:
    place = _PLACE.fullmatch(part)
    if place is not None and place[1] in values:
        return values[place[1]]
    if _PLACE.search(part):
        nl = f"'{part}' op de lijst is geen hele parameter die de opdracht kent."
        raise TemplateRefused(
            "parameter-not-whole", nl, f"'{part}' on the list is not a whole parameter that the command declares."
        )
    return part
