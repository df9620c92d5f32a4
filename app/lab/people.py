"""The five people of the example organisation, made known by the administrator and signed in through the API.

Each sets up a password and a second factor, as people do: without these nobody answers for anything with their name.
"""

import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.lab.authenticator import Authenticator
from app.lab.organisation.material import read
from app.remote import Remote


class Part(StrEnum):
    """What a person does in the demonstration."""

    AUTHOR = "author"
    APPROVER = "approver"
    OPERATOR = "operator"
    PROCESS_OWNER = "processOwner"
    AUDITOR = "auditor"


WORDS = {
    Part.AUTHOR: "author of the plans",
    Part.APPROVER: "approver",
    Part.OPERATOR: "operator and crisis manager",
    Part.PROCESS_OWNER: "process owner",
    Part.AUDITOR: "auditor, who reads the audit log",
}


PROOF_SECONDS = 4 * 60
"""For how long a proof of who one is surely counts; the service takes it for five minutes."""


@dataclass
class Means:
    """What a person signs in with."""

    email: str
    password: str
    app: Authenticator
    recovery_codes: list[str]
    proved_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class SignedIn:
    """A person with a bearer token, and with what they sign in with."""

    id: str
    ref: str
    name: str
    api: Remote
    means: Means | None = None

    def prove(self) -> None:
        """Prove who they are where the last proof is about to count no more. Raises `ApiRefused`."""
        if self.means is not None and time.monotonic() - self.means.proved_at > PROOF_SECONDS:
            given = {"password": self.means.password, "code": self.means.app.code()}
            self.api.post("/sessions/current/proofs", given)
            self.means.proved_at = time.monotonic()


People = dict[Part, SignedIn]


def _bearer(address: str, sign_in_token: str) -> str:
    return str(Remote(address).post("/sessions", {"signInToken": sign_in_token})["token"])


def welcome(address: str, admin: Remote) -> People:
    """Make them known and sign each in by a one-time link, as they would themselves. Raises `ApiRefused`."""
    found: People = {}
    for row in read("people"):
        body: dict[str, Any] = {name: value for name, value in row.items() if name != "part"}
        person = admin.post("/people", body)
        token = admin.post(f"/people/{person['id']}/sign-in-links")["token"]
        api = Remote(address, _bearer(address, token))
        means = set_up(api, row["email"])
        found[Part(row["part"])] = SignedIn(person["id"], person["ref"], person["name"], api, means)
    return found


def set_up(api: Remote, email: str) -> Means:
    """Set up a password and a second factor, in the session of a one-time link. Raises `ApiRefused`."""
    app = Authenticator(str(api.get("/account/second-factor-offer")["secret"]))
    password = secrets.token_urlsafe(15)
    told = api.put("/account/credentials", {"password": password, "code": app.code()})
    return Means(email, password, app, told["recoveryCodes"])


def links(admin: Remote, people: People) -> dict[Part, str]:
    """A fresh one-time link for each of them; it works once, for thirty minutes."""
    return {part: admin.post(f"/people/{person.id}/sign-in-links")["url"] for part, person in people.items()}
