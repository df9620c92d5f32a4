"""Reads secrets from OpenBao or HashiCorp Vault: the KV v2 API over HTTP, with a token or by AppRole."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runners.origins import NotAnswered, UrlRefused
from runners.outgoing import LARGEST, Answer, Outgoing
from runners.secrets import NotHeld, Why

SECONDS = 3.0
"""Longest wait for one answer: a step waits meanwhile."""
QUIET = 5.0
"""Seconds for which a store that did not answer is not asked again: a step with three secrets waits once."""
RENEW_AT = 0.8
"""The part of a login's lease after which it is made anew."""
FIELD = "value"


@dataclass(frozen=True)
class Login:
    """How the worker shows who it is: a token, or the two parts of an AppRole; each is read anew when it is needed."""

    token: Callable[[], str] | None = None
    role_id: str = ""
    secret_id: Callable[[], str] | None = None


class OpenBao:
    """One KV v2 mount. A secret is the field ``value`` at ``PATH/NAME``, or the only field there.

    Only this address is asked, whatever a site's list allows: a step can never reach the store by itself.
    """

    def __init__(
        self,
        url: str,
        login: Login,
        *,
        mount: str = "secret",
        path: str = "",
        namespace: str = "",
        authorities: Path | None = None,
    ) -> None:
        self._url, self._login, self._mount, self._path = url.rstrip("/"), login, mount.strip("/"), path.strip("/")
        self._namespace, self._out = namespace, Outgoing([url], authorities)
        self._token, self._until, self._quiet_until = "", 0.0, 0.0
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The value of `name`, or None where there is none. Raises `NotHeld`."""
        with self._lock:
            if time.monotonic() < self._quiet_until:
                raise NotHeld(Why.SILENT)
            where = "/".join(quote(part, safe="") for part in (*self._path.split("/"), name) if part)
            answer = self._ask("GET", f"/v1/{quote(self._mount)}/data/{where}")
            if answer.status == 403 and self._login.token is None:
                self._until = 0.0  # the login may have been revoked: one more try with a new one
                answer = self._ask("GET", f"/v1/{quote(self._mount)}/data/{where}")
            return None if answer.status == 404 else _value(_json(answer))

    def _ask(self, method: str, path: str) -> Answer:
        return self._request(method, path, {"x-vault-token": self._logged_in()})

    def _request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        own = {"x-vault-request": "true", "accept": "application/json"}
        own |= {"x-vault-namespace": self._namespace} if self._namespace else {}
        try:
            return self._out.request(method, self._url + path, seconds=SECONDS, headers=own | headers, body=body)
        except NotAnswered:
            self._quiet_until = time.monotonic() + QUIET
            raise NotHeld(Why.SILENT) from None
        except (UrlRefused, ValueError, UnicodeError):  # a token that can't stand in a header says nothing of itself
            raise NotHeld(Why.STRANGE_ANSWER) from None

    def _logged_in(self) -> str:
        if self._login.token is not None:
            return self._login.token()
        if time.monotonic() >= self._until and self._login.secret_id is not None:
            asked = {"role_id": self._login.role_id, "secret_id": self._login.secret_id()}
            body, kind = json.dumps(asked).encode(), {"content-type": "application/json"}
            answer = self._request("POST", "/v1/auth/approle/login", kind, body)
            if answer.status in (400, 404):  # what a refused role or a missing mount is answered with
                raise NotHeld(Why.DENIED)
            auth = _json(answer).get("auth")
            if not isinstance(auth, dict) or not isinstance(auth.get("client_token"), str):
                raise NotHeld(Why.STRANGE_ANSWER)
            lease = auth.get("lease_duration")
            lasts = float(lease) if isinstance(lease, int | float) and lease > 0 else 60.0
            self._token, self._until = auth["client_token"], time.monotonic() + RENEW_AT * lasts
        return self._token


def _json(answer: Answer) -> dict[str, Any]:
    """The body of a good answer. Raises `NotHeld` for every other one, a redirect included."""
    match answer.status:
        case 200:
            pass
        case 401 | 403:
            raise NotHeld(Why.DENIED)
        case 429 | 472 | 473 | 501 | 502 | 503 | 504:
            raise NotHeld(Why.SEALED)
        case _:
            raise NotHeld(Why.STRANGE_ANSWER)
    try:
        found = json.loads(answer.body) if len(answer.body) < LARGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotHeld(Why.STRANGE_ANSWER)
    return found


def _value(answer: dict[str, Any]) -> str | None:
    data = answer.get("data")
    fields = data.get("data") if isinstance(data, dict) else None
    if fields is None and isinstance(data, dict) and "metadata" in data:
        return None  # this version was deleted
    if not isinstance(fields, dict):
        raise NotHeld(Why.STRANGE_ANSWER)
    value = fields.get(FIELD) if FIELD in fields or len(fields) != 1 else next(iter(fields.values()))
    if not isinstance(value, str):
        raise NotHeld(Why.STRANGE_ANSWER)
    return value
