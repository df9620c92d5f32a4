"""Sentences for people that are translated only when they are shown."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """An English sentence with named gaps; `app.core.i18n` shows it in the reader's language."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        # A value may be a sentence in two languages itself.
        return self.text.format(**{name: getattr(value, "en", value) for name, value in self.values.items()})


def say(text: str, **values: Any) -> Message:
    """A sentence to translate later; ``say`` is a keyword of the message extraction, so `text` must be a literal."""
    return Message(text, values)
