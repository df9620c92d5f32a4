"""The base of every driver that only looks: nothing to observe afterwards, and harmless to repeat."""

from typing import Any

from runners.contract import Context, Effect, Observation, Repeat, Runner, Seen, Side, Text

SIDE_NAMES = {
    Side.PRIMARY: Text(nl="de primaire kant", en="the primary side"),
    Side.FALLBACK: Text(nl="de uitwijkkant", en="the fallback side"),
}
"""How sentences for people name a side."""


class Looking(Runner):
    """A check. After a crash it is simply done again: what was seen before the crash proves nothing any more."""

    effect = Effect.OBSERVES
    repeat = Repeat.OBSERVABLE

    def observe(self, params: Any, context: Context) -> Observation:
        """A check leaves no effect, so there is never one to find."""
        del params, context
        text = Text(
            nl="Een controle laat niets achter; voer haar opnieuw uit.", en="A check leaves nothing; repeat it."
        )
        return Observation(seen=Seen.NOT_DONE, reason=text)
