"""Sends the requests of a corpus to the application, and counts every row before and after."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import func, select
from sqlmodel import SQLModel

from tests.flow.whole import API, EVERYBODY, Whole

COUNTED_APART = ("audit_", "user_session", "machine_token")
"""A refusal may be told in the audit log, and a session was used."""
WORDS = {
    "LONG": "x" * 400,
    "DIGITS": '{"name": "One", "mbcoNumber": ' + "9" * 10_000 + "}",
    "DEEP": "[" * 100_000 + "]" * 100_000,
    "HASH": "0" * 64,
}


@dataclass
class Requests:
    """The application, who asks it, and what the words of a corpus stand for."""

    whole: Whole
    words: dict[str, str] = field(default_factory=dict)

    def filled(self, value: Any) -> Any:
        """The value with the words of the corpus replaced, longest first."""
        known = WORDS | self.words
        if isinstance(value, str):
            for word in sorted(known, key=len, reverse=True):
                value = value.replace(word, known[word])
            return value
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return {name: self.filled(each) for name, each in value.items()} if isinstance(value, dict) else value

    def send(self, case: dict[str, Any]) -> httpx.Response:
        """One request of the corpus, by a person who may do everything."""
        headers = {"Authorization": f"Bearer {self.whole.tokens[case.get('by', EVERYBODY)]}"}
        headers |= self.filled(case.get("headers", {}))
        content = self.filled(case["raw"]) if "raw" in case else None
        if "body" in case:
            content = json.dumps(self.filled(case["body"]))
        path = case["path"].replace("SERVICE", self.words.get("SERVICE", ""))
        for word, meant in self.words.items():
            path = path.replace(word, meant)
        return self.whole.ask(case["method"], f"{API}{path}", content=content, headers=headers)

    def rows(self) -> dict[str, int]:
        """How many rows stand in each table."""
        with self.whole.database.engine.connect() as link:
            return {
                name: link.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in SQLModel.metadata.tables.items()
                if not name.startswith(COUNTED_APART)
            }


def refused_as(answer: httpx.Response, case: dict[str, Any]) -> str:
    """What is wrong with the refusal; empty where it is as the corpus says."""
    if answer.headers.get("content-type") != "application/problem+json":
        return f"{answer.status_code} {answer.text[:300]}"
    told = answer.json()
    wanted = case.get("status", 400)
    named = [
        (each["field"].strip("/").removeprefix("body/").split("/")[0].split(".")[-1], each["code"])
        for each in told.get("errors", [])
    ]
    right = (case["field"], case["code"]) in named if "field" in case else told["code"] == case["code"]
    if answer.status_code != wanted or not right:
        return f"{answer.status_code} {told['code']} {named} {told['detail']}"
    return "" if told["detail"] or named else "no reason"
