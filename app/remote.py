"""The command line's side of the API: address and token from the environment, problems as sentences."""

import os
import time
from typing import Any

import httpx

TRIES = 3
BETWEEN_SECONDS = 0.5
"""How often, and after how long, a service that says 503 is asked again."""


class ApiRefused(Exception):
    """The API answered with a problem; the message says what to do. `exit_code` is for the shell."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Remote:
    """A running Wissel, reached through its public API."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        address = (url or os.environ.get("WISSEL_URL") or "http://127.0.0.1:8000").rstrip("/")
        given = token or os.environ.get("WISSEL_TOKEN")
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        self._client = httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30, trust_env=False)

    def get(self, path: str, **query: Any) -> Any:
        """Read; None-valued query keys are left out."""
        return self._ask("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Write; `key` makes a repeat harmless."""
        return self._ask("POST", path, json=body or {}, headers={"Idempotency-Key": key} if key else {})

    def patch(self, path: str, body: Any) -> Any:
        """Change some fields."""
        return self._ask("PATCH", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        """Set as a whole."""
        return self._ask("PUT", path, json=body)

    def send_file(self, path: str, name: str, content: bytes, media_type: str) -> Any:
        """Upload one file."""
        return self._ask("POST", path, files={"file": (name, content, media_type)})

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self._send(method, path, **more)
        for _ in range(TRIES - 1):
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            # Its transaction was rolled back, so nothing was written and asking again is harmless.
            time.sleep(BETWEEN_SECONDS)
            answer = self._send(method, path, **more)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise ApiRefused(_sentence(answer), exit_code=4 if answer.status_code in {401, 403} else 1)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            reason = f"{self._client.base_url} does not answer ({error}). Is `wissel serve` running? Set WISSEL_URL."
            raise ApiRefused(reason, exit_code=3) from error


def _sentence(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}: {answer.text[:200]}"
    if not isinstance(problem, dict):
        return f"HTTP {answer.status_code}"
    fields = "".join(f"\n  {each['field']}: {each['reason']}" for each in problem.get("errors", []))
    return f"{problem.get('detail') or problem.get('title')} [{problem.get('code')}]{fields}"
