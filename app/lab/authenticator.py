"""What a person has on their telephone: an app that makes codes out of a secret (RFC 6238)."""

import base64
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30


@dataclass
class Authenticator:
    """Codes of one secret; none is given out twice, for the service takes none twice."""

    secret: str
    """In base32, as the service tells it."""
    _last: int = 0

    def code(self) -> str:
        """The next code that is taken; waits where those that are near enough were used already."""
        while int(time.time()) // STEP_SECONDS < self._last:
            time.sleep(0.2)
        # The service takes the code of the next thirty seconds too: so two can be asked for at once.
        self._last = max(int(time.time()) // STEP_SECONDS, self._last + 1)
        key = base64.b32decode(self.secret + "=" * (-len(self.secret) % 8))
        made = TOTP(key, 6, SHA1(), STEP_SECONDS, enforce_key_length=False)  # noqa: S303 - what every app does
        return made.generate(self._last * STEP_SECONDS).decode()
