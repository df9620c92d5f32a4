"""Secrets from a store that speaks KV v2, as a process of its own: what it gives, and each way in which it does not."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from runners import openbao
from runners.openbao import Login, OpenBao
from runners.secrets import SECRET_NAME, NotHeld, SiteSecrets, Source, Why

ROLE = Login(role_id="role", secret_id=lambda: "secret-id")
TOKEN = Login(token=lambda: "root-token")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    file = tmp_path_factory.mktemp("bao") / "port"
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("bao_process.py")), str(file)])
    try:
        until = time.monotonic() + 20
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{file.read_text()}"
    finally:
        process.kill()
        process.wait()


def told(url):
    with urllib.request.urlopen(f"{url}/told") as answer:
        return json.load(answer)


def store(url, login=TOKEN, **more):
    return OpenBao(url, login, path="wissel", **more)


@pytest.mark.parametrize(
    ("name", "value"), [("db", "bao-value"), ("single", "only-field"), ("none", None), ("deleted", None)]
)
def test_it_gives_the_field_value_or_the_only_field(url, name, value):
    assert store(url).get(name) == value


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("denied", Why.DENIED),
        ("sealed", Why.SEALED),
        ("broken", Why.STRANGE_ANSWER),
        ("redirect", Why.STRANGE_ANSWER),
        ("huge", Why.STRANGE_ANSWER),
        ("garbage", Why.STRANGE_ANSWER),
        ("two", Why.STRANGE_ANSWER),
        ("number", Why.STRANGE_ANSWER),
    ],
)
def test_every_other_answer_has_a_reason_of_its_own(url, name, why):
    secrets = SiteSecrets({}, store=store(url))
    assert secrets.look(name).why is why
    assert secrets.value("db") == "bao-value"


def test_a_value_that_is_too_short_to_mask_is_refused(url):
    assert SiteSecrets({}, store=store(url)).look("short").why is Why.TOO_SHORT


def test_a_store_that_is_slow_is_not_waited_for_twice(url, monkeypatch):
    monkeypatch.setattr(openbao, "SECONDS", 0.3)
    bao = store(url)
    secrets = SiteSecrets({"WISSEL_SECRET_NEAR": "near at hand"}, store=bao)
    before = len(told(url)["asked"])
    assert [secrets.look(name).why for name in ("slow", "db", "single")] == [Why.SILENT] * 3
    assert len(told(url)["asked"]) - before == 2  # the slow one, and this question
    assert secrets.look("near").source is Source.ENVIRONMENT


def test_nobody_there_is_silence(tmp_path):
    with pytest.raises(NotHeld) as refused:
        OpenBao("http://127.0.0.1:9", TOKEN).get("db")
    assert refused.value.why is Why.SILENT
    assert refused.value.why.could_not_look


def test_an_app_role_logs_in_once_and_again_when_its_token_was_revoked(url):
    before = told(url)["logins"]
    bao = store(url, ROLE, namespace="gemeente")
    assert [bao.get("db"), bao.get("single")] == ["bao-value", "only-field"]
    assert told(url)["logins"] == before + 1
    urllib.request.urlopen(f"{url}/revoke").close()
    assert bao.get("db") == "bao-value"
    assert told(url)["logins"] == before + 3  # the revocation counts as one
    assert "/v1/secret/data/wissel/db gemeente" in told(url)["asked"]


@pytest.mark.parametrize("login", [Login(token=lambda: "wrong"), Login(role_id="role", secret_id=lambda: "wrong")])
def test_a_wrong_token_or_role_is_denied(url, login):
    with pytest.raises(NotHeld) as refused:
        store(url, login).get("db")
    assert refused.value.why is Why.DENIED


def test_no_name_leads_out_of_its_folder(url):
    assert not re.fullmatch(SECRET_NAME, "../other")
    assert store(url).get("../../sys/seal") is None
    assert not any("/sys/" in each for each in told(url)["asked"])
