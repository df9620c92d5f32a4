"""What a secret in the open is: by its name, by its form, and what is none."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core import openness
from app.core.shapes import Line, Name, Prose

BY_FORM = {
    "a password in an address": "see postgresql://wissel:Zomer2026@db/main",
    "a password without a user": "redis://:Zomer2026@cache",
    "a connection string": "host=db user=x password=Zomer2026",
    "in Dutch": "wachtwoord = Zomer2026",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "a bearer": "curl -H 'Authorization: Bearer abcdefghijkl.mnop'",
    "our own token": "wsl_0123456789abcdefghijklmnop",
    "of a cloud": "AKIAIOSFODNN7EXAMPLE",
    "of a forge": "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    "of a store": "hvs.0123456789abcdefghijklmn",
    "a signed token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ3aXNzZWwifQ.c2lnbmF0dXJlc2ln",
}
NONE = [
    "Het wachtwoord staat in de kluis",
    "password: see the vault",
    "https://loket.example.nl:443/pad?x=1",
    "mail piet@example.nl",
    "secret://noord-dsn",
    "Bearer of bad news",
    "de sleutel van de serverruimte",
]


@pytest.mark.parametrize("text", BY_FORM.values(), ids=BY_FORM)
@pytest.mark.parametrize("kind", [Name, Line, Prose])
def test_a_secret_by_its_form_is_refused_in_every_text_and_not_repeated(kind, text):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(f"noteer {text} graag")
    (fault,) = refused.value.errors(include_input=False)
    assert fault["type"] == openness.CODE
    assert text not in fault["msg"]


@pytest.mark.parametrize("text", NONE)
def test_ordinary_text_is_none(text):
    assert not openness.by_form(text)
    assert TypeAdapter(Prose).validate_python(text) == text


@pytest.mark.parametrize(
    "name",
    ["dsn", "Password", "apiToken", "db-password", "private_key", "key", "wachtwoord", "geheime-sleutel",
     "Authorization", "session_cookie", "client_secret", "passphrase", "tokens", "api_keys"],
)  # fmt: skip
def test_a_name_says_that_a_secret_stands_there(name):
    assert openness.by_name(name)
    assert openness.in_document({name: "x"}) == [f"/{name}"]
    assert openness.in_document({name: "secret://x"}) == []


@pytest.mark.parametrize(
    "name", ["public_key", "openbare_sleutel", "key_people", "keyboard", "monkey", "tables", "Slot"]
)
def test_and_others_do_not(name):
    assert not openness.by_name(name)
