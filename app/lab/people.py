"""The four people of the example organisation, made known by the administrator and signed in through the API."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.lab.organisation.material import read
from app.remote import Remote


class Part(StrEnum):
    """What a person does in the demonstration."""

    AUTHOR = "author"
    APPROVER = "approver"
    OPERATOR = "operator"
    PROCESS_OWNER = "processOwner"


WORDS = {
    Part.AUTHOR: "author of the plans",
    Part.APPROVER: "approver",
    Part.OPERATOR: "operator and crisis manager",
    Part.PROCESS_OWNER: "process owner",
}


@dataclass(frozen=True)
class SignedIn:
    """A person with a bearer token."""

    id: str
    ref: str
    name: str
    api: Remote


People = dict[Part, SignedIn]


def _bearer(address: str, sign_in_token: str) -> str:
    return str(Remote(address).post("/sessions", {"signInToken": sign_in_token})["token"])


def welcome(address: str, admin: Remote) -> People:
    """Make the four known and sign each in by a one-time link, as they would themselves. Raises `ApiRefused`."""
    found: People = {}
    for row in read("people"):
        body: dict[str, Any] = {name: value for name, value in row.items() if name != "part"}
        person = admin.post("/people", body)
        token = admin.post(f"/people/{person['id']}/sign-in-links")["token"]
        api = Remote(address, _bearer(address, token))
        found[Part(row["part"])] = SignedIn(person["id"], person["ref"], person["name"], api)
    return found


def links(admin: Remote, people: People) -> dict[Part, str]:
    """A fresh one-time link for each of them; it works once, for thirty minutes."""
    return {part: admin.post(f"/people/{person.id}/sign-in-links")["url"] for part, person in people.items()}
