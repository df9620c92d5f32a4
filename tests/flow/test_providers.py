"""Signing in at a provider: a real process with real keys on loopback, and every way in which it may be hostile."""

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlmodel import select

from app.access import providers
from app.access.models import Person, UserSession
from app.access.providers import ProvidersWrong
from app.access.sign_in_models import ProviderIdentity, SignInAttempt
from app.access.token_models import RoleGrant
from app.core import clock
from app.core.audit import AuditEvent
from app.main import create_app
from tests.flow.identity_provider import CLIENT, SECRET
from tests.flow.whole import ADMINISTRATOR, Template, Whole, settings_in

ROOT = Path(__file__).resolve().parents[2]
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://test"}


class Provider:
    """The process, spoken to as a browser and as who makes it hostile."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def does(self, **wrong) -> None:
        httpx.post(f"{self.address}/control", json=wrong, trust_env=False).raise_for_status()

    def answers(self, address: str) -> str:
        """Sign in there; the path and query at which the browser comes back to us."""
        found = httpx.get(address, trust_env=False, follow_redirects=False)
        assert found.status_code == 302, found.text
        parts = urlsplit(found.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def seen(self, where: str) -> list[dict]:
        told = httpx.get(f"{self.address}/seen", trust_env=False).json()["seen"]
        return [each for each in told if each["at"] == where]


@pytest.fixture(scope="module")
def process() -> Iterator[Provider]:
    argv = [sys.executable, "-m", "tests.flow.identity_provider"]
    child = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    yield Provider(int(child.stdout.readline()))
    child.kill()
    child.wait()


@pytest.fixture
def provider(process: Provider) -> Provider:
    process.does(key="first")
    return process


def written(folder: Path, provider: Provider, *, secret: str = "", **more: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text(SECRET)
    lines = {"name": "town", "title": "Town account", "issuer": provider.address, "client_id": CLIENT} | more
    text = "[[provider]]\n" + "".join(f'{name} = "{value}"\n' for name, value in lines.items() if value)
    text += secret or f'client_secret_file = "{folder / "secret"}"\n'
    text += 'acr_values = ["strong"]\namr_values = ["otp", "hwk"]\n'
    text += '[provider.roles]\nwissel-approvers = ["approver", "viewer"]\nwissel-admins = ["administrator"]\n'
    text += '[[provider.units]]\ngroup = "wissel-desk"\nrole = "operator"\nunit = "Burgerzaken"\n'
    (folder / "providers.toml").write_text(text)
    return folder / "providers.toml"


@pytest.fixture
def town(template: Template, provider: Provider, tmp_path: Path) -> Iterator[Whole]:
    """The application with this provider."""
    file = written(tmp_path / "etc", provider)
    made = template.copy(tmp_path / "data", providers_file=file, outgoing=provider.address)
    yield made
    made.database.dispose()


class Browser:
    """Cookies, forms and what was said."""

    def __init__(self, whole: Whole, provider: Provider) -> None:
        self.whole, self.provider = whole, provider
        self.cookies: dict[str, str] = {"wissel_language": "en"}

    def ask(self, method: str, path: str, **more) -> httpx.Response:
        answer = self.whole.ask(method, path, cookies=self.cookies, **more)
        for each in answer.headers.get_list("set-cookie"):
            name, _, value = each.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return answer

    def begin(self, **fields: str) -> str:
        """The address at the provider."""
        sent = "&".join(f"{name}={value}" for name, value in fields.items())
        answer = self.ask("POST", "/sign-in/providers/town", content=sent, headers=FORM)
        assert answer.status_code == 200, answer.text
        return html.unescape(re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', answer.text)[1])

    def sign_in(self, **fields: str) -> httpx.Response:
        return self.ask("GET", self.provider.answers(self.begin(**fields)))

    @property
    def session(self) -> str:
        return self.cookies.get("wissel-session", "")


@pytest.fixture
def browser(town: Whole, provider: Provider) -> Browser:
    return Browser(town, provider)


def rows(whole: Whole, table):
    with whole.database.transaction(write=False) as session:
        return session.exec(select(table)).all()


def refusals(whole: Whole) -> list[str]:
    return [each.detail["code"] for each in rows(whole, AuditEvent) if each.action == "sign-in"]


def test_a_new_person_comes_in_with_the_roles_of_their_groups_and_no_proof(browser, town):
    answer = browser.sign_in(next="/services")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/services")
    assert browser.ask("GET", "/services").status_code == 200
    (identity,) = rows(town, ProviderIdentity)
    person = next(each for each in rows(town, Person) if each.id == identity.person_id)
    assert (person.name, person.email, person.roles) == (
        "Anna de Vries",
        "anna@provider.example",
        ["approver", "viewer"],
    )
    (row,) = [each for each in rows(town, UserSession) if each.person_id == person.id]
    assert (row.method, row.provider, row.proved_at) == ("provider", "town", None)


def test_what_is_asked_there_is_bound_to_us_by_state_nonce_and_s256(browser, provider):
    browser.sign_in()
    asked, exchanged = provider.seen("authorize")[-1], provider.seen("token")[-1]
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
    assert asked["redirect_uri"] == "http://test/sign-in/providers/town/answer"
    assert min(len(asked["state"]), len(asked["nonce"]), len(exchanged["code_verifier"])) >= 43
    assert "openid" in asked["scope"].split()


HOSTILE = {
    "another audience": ({"claims": {"aud": "somebody-else"}}, "wrong-audience"),
    "one more audience": ({"claims": {"aud": [CLIENT, "somebody-else"]}}, "wrong-audience"),
    "no audience": ({"drop": ["aud"]}, "wrong-audience"),
    "another party": ({"claims": {"azp": "somebody-else"}}, "wrong-party"),
    "no signature": ({"sign": "none"}, "wrong-algorithm"),
    "our public key as a shared secret": ({"sign": "hs-public"}, "wrong-algorithm"),
    "another key of the same name": ({"sign": "other-key"}, "wrong-signature"),
    "a key that nobody has": ({"sign": "unknown-kid"}, "unknown-key"),
    "another nonce": ({"claims": {"nonce": "x"}}, "wrong-nonce"),
    "no nonce": ({"drop": ["nonce"]}, "wrong-nonce"),
    "another issuer, the same subject": ({"claims": {"iss": "https://evil.example"}}, "wrong-issuer"),
    "an issuer with a slash more": ({"claims": {"iss": "http://127.0.0.1/"}}, "wrong-issuer"),
    "over": ({"later": {"exp": -120}}, "expired"),
    "made long ago": ({"later": {"iat": -3600}}, "expired"),
    "made tomorrow": ({"later": {"iat": 86_400, "exp": 90_000}}, "not-yet"),
    "not good before tomorrow": ({"later": {"nbf": 86_400}}, "not-yet"),
    "no end": ({"drop": ["exp"]}, "no-moment"),
    "an end that is true": ({"claims": {"exp": True}}, "no-moment"),
    "an end beyond all years": ({"claims": {"exp": 1e300}}, "no-moment"),
    "no subject": ({"drop": ["sub"]}, "wrong-subject"),
    "an empty subject": ({"claims": {"sub": ""}}, "wrong-subject"),
    "a subject with a blank at its end": ({"claims": {"sub": "anna "}}, "wrong-subject"),
    "a subject that turns the text round": ({"claims": {"sub": "an\u202ena"}}, "wrong-subject"),
    "a subject with a line in it": ({"claims": {"sub": "an\nna"}}, "wrong-subject"),
    "a subject of 256 letters": ({"claims": {"sub": "a" * 256}}, "wrong-subject"),
    "a subject that is a number": ({"claims": {"sub": 7}}, "wrong-subject"),
    "groups as one text": ({"claims": {"groups": "wissel-approvers"}}, "wrong-groups"),
    "groups that are objects": ({"claims": {"groups": [{"a": 1}]}}, "wrong-groups"),
    "no group of ours": ({"claims": {"groups": ["others"]}}, "no-role"),
    "an answer of another provider": ({"back": {"iss": "https://evil.example"}}, "mixed-up-issuer"),
    "an answer without its issuer": ({"back": {"iss": ""}}, "mixed-up-issuer"),
    "another state": ({"back": {"state": "x" * 43}}, "wrong-state"),
    "no state": ({"back": {"state": ""}}, "wrong-state"),
    "no code": ({"back": {"code": ""}}, "no-code"),
    "a code of nobody": ({"back": {"code": "x"}}, "code-refused"),
    "no identity token": ({"answer": {"id_token": None}}, "no-identity-token"),
    "an identity token that is none": ({"answer": {"id_token": "a.b.c"}}, "unreadable-token"),
    "an error with a token beside it": ({"answer": {"error": "x"}, "status": 400}, "code-refused"),
    "broken down": ({"status": 500}, "provider-away"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_answer_lets_nobody_in_and_says_why(browser, town, provider, case):
    wrong, code = HOSTILE[case]
    provider.does(**wrong)
    before = len(rows(town, UserSession)), len(rows(town, Person))
    answer = browser.sign_in()
    assert (answer.status_code, browser.session) == (403, ""), answer.text
    assert f"<code>{code}</code>" in answer.text
    assert refusals(town) == [code]
    assert (len(rows(town, UserSession)), len(rows(town, Person))) == before
    assert rows(town, ProviderIdentity) == []
    provider.does()
    assert browser.sign_in().status_code == 303, "the same browser comes in once the provider is itself again"


@pytest.mark.parametrize("shape", ["huge", "redirect", "list", "broken"])
def test_a_provider_that_tells_nonsense_is_away_and_the_local_way_in_stays(browser, town, provider, shape):
    provider.does(shape=shape)
    answer = browser.ask("POST", "/sign-in/providers/town", content="", headers=FORM)
    assert (answer.status_code, refusals(town)) == (403, ["provider-away"])
    assert 'name="password"' in answer.text


def test_a_provider_that_is_slow_is_given_up(browser, town, provider, monkeypatch):
    monkeypatch.setattr("app.access.oidc.SECONDS", 0.5)
    provider.does(shape="slow")
    answer = browser.ask("POST", "/sign-in/providers/town", content="", headers=FORM)
    assert (answer.status_code, refusals(town)) == (403, ["provider-away"])


@pytest.mark.parametrize(
    "told",
    [
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "http://10.0.0.1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": "http://127.0.0.1:1/token"},
        {"token_endpoint": None},
    ],
    ids=str,
)
def test_no_address_is_asked_that_the_administrator_did_not_list(browser, town, provider, told):
    provider.does(discovery=told)
    answer = browser.sign_in()
    assert (answer.status_code, refusals(town), browser.session) == (403, ["provider-away"], "")


@pytest.mark.parametrize(
    "told",
    [{"issuer": "https://evil.example"}, {"authorization_endpoint": "https://evil.example/authorize"}],
    ids=str,
)
def test_nobody_is_sent_where_the_administrator_did_not_say(browser, town, provider, told):
    provider.does(discovery=told)
    answer = browser.ask("POST", "/sign-in/providers/town", content="", headers=FORM)
    assert (answer.status_code, refusals(town)) == (403, ["provider-away"])
    assert "evil.example" not in answer.text


def test_an_answer_is_taken_once(browser, town, provider):
    back = provider.answers(browser.begin())
    assert browser.ask("GET", back).status_code == 303
    again = browser.ask("GET", back)
    assert (again.status_code, refusals(town)) == (403, ["used-state"])


def test_a_code_is_taken_once_also_with_a_state_of_its_own(browser, town, provider):
    first = parse_qs(urlsplit(provider.answers(browser.begin())).query)
    back = f"/sign-in/providers/town/answer?state={first['state'][0]}&code={first['code'][0]}&iss={provider.address}"
    assert browser.ask("GET", back).status_code == 303
    state = parse_qs(urlsplit(browser.begin()).query)["state"][0]
    again = browser.ask("GET", back.replace(first["state"][0], state))
    assert (again.status_code, refusals(town)) == (403, ["code-refused"])


def test_the_answer_to_one_browser_is_worth_nothing_in_another(browser, town, provider):
    back = provider.answers(browser.begin())
    other = Browser(town, provider)
    assert (other.ask("GET", back).status_code, other.session, refusals(town)) == (403, "", ["wrong-state"])


def test_an_answer_comes_within_ten_minutes(browser, town, provider):
    back = provider.answers(browser.begin())
    with time_machine.travel(clock.now() + timedelta(minutes=11), tick=False):
        assert browser.ask("GET", back).status_code == 403
    assert refusals(town) == ["used-state"]


def test_subjects_differ_by_each_letter_of_either_case(browser, town, provider):
    browser.sign_in()
    provider.does(claims={"sub": "Anna", "email": "other@provider.example"})
    Browser(town, provider).sign_in()
    assert sorted(each.subject for each in rows(town, ProviderIdentity)) == ["Anna", "anna"]
    assert len({each.person_id for each in rows(town, ProviderIdentity)}) == 2


def test_an_address_never_makes_somebody_the_person_who_has_it(browser, town, provider):
    provider.does(claims={"email": "approver@example.nl"})
    answer = browser.sign_in()
    assert (answer.status_code, refusals(town), rows(town, ProviderIdentity)) == (403, ["not-linked"], [])


def test_an_address_that_nobody_checked_is_not_taken(browser, town, provider):
    provider.does(claims={"email": "approver@example.nl", "email_verified": False})
    assert browser.sign_in().status_code == 303
    (identity,) = rows(town, ProviderIdentity)
    person = next(each for each in rows(town, Person) if each.id == identity.person_id)
    assert person.email.endswith("@town.invalid")


def test_groups_are_read_at_each_sign_in_and_what_people_gave_stays(browser, town, provider):
    provider.does(claims={"groups": ["wissel-approvers", "wissel-desk"]})
    browser.sign_in()
    (identity,) = rows(town, ProviderIdentity)
    town.ok("PATCH", f"/people/{identity.person_id}", {"roles": ["approver", "viewer", "auditor"]}, by=ADMINISTRATOR)
    assert [each.unit for each in rows(town, RoleGrant) if each.person_id and not each.revoked_at] == ["Burgerzaken"]
    provider.does(claims={"groups": ["others"]})
    assert browser.sign_in().status_code == 303
    person = next(each for each in rows(town, Person) if each.id == identity.person_id)
    assert person.roles == ["auditor"]
    assert [each.unit for each in rows(town, RoleGrant) if each.person_id and not each.revoked_at] == []


def test_who_is_closed_does_not_come_in_by_the_provider(browser, town):
    browser.sign_in()
    (identity,) = rows(town, ProviderIdentity)
    town.ok("PATCH", f"/people/{identity.person_id}", {"active": False}, by=ADMINISTRATOR)
    assert browser.ask("GET", "/services").status_code == 303
    assert (browser.sign_in().status_code, refusals(town)) == (403, ["closed"])


def test_a_new_key_is_read_once_it_is_used(browser, town, provider):
    browser.sign_in()
    provider.does(rotate="second")
    assert browser.sign_in().status_code == 303
    provider.does(key="ec")
    assert browser.sign_in().status_code == 303


def proved(town: Whole):
    return [each.proved_at is not None for each in rows(town, UserSession) if each.provider == "town"]


def test_a_fresh_and_strong_sign_in_there_is_proof(browser, town, provider):
    browser.sign_in()
    before = browser.session
    answer = browser.sign_in(again="1", next="/plans")
    assert (answer.status_code, answer.headers["Location"], proved(town)) == (303, "/plans", [True])
    assert browser.session != before, "a session goes on under a new secret"
    asked = provider.seen("authorize")[-1]
    assert (asked["prompt"], asked["max_age"], asked["acr_values"]) == ("login", "0", "strong")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"claims": {"acr": "weak"}}, "weak-proof"),
        ({"drop": ["acr"]}, "weak-proof"),
        ({"claims": {"amr": ["pwd"]}}, "weak-proof"),
        ({"claims": {"amr": "otp"}}, "weak-proof"),
        ({"later": {"auth_time": -600}}, "stale-proof"),
        ({"drop": ["auth_time"]}, "stale-proof"),
        ({"claims": {"sub": "bert"}}, "other-person"),
    ],
    ids=str,
)
def test_a_weak_or_old_proof_or_one_of_somebody_else_is_none(browser, town, provider, wrong, code):
    browser.sign_in()
    provider.does(**wrong)
    answer = browser.sign_in(again="1")
    assert (answer.status_code, refusals(town), proved(town)) == (403, [code], [False])
    assert browser.ask("GET", "/services").status_code == 200, "nobody is signed out by it"


def test_two_people_of_one_issuer_and_subject_are_one(browser, town, provider):
    """The same identity in two browsers is the same person, so it fills one seat of an approval."""
    browser.sign_in()
    Browser(town, provider).sign_in()
    assert len({each.person_id for each in rows(town, UserSession) if each.provider == "town"}) == 1


def test_an_identity_is_connected_by_its_person_and_by_nobody_else(browser, town, provider):
    token = town.sign_in_token("viewer")
    browser.ask("POST", "/sign-in", content=f"token={token}", headers=FORM)
    page = browser.ask("GET", "/account").text
    csrf = re.search(r'name="csrf" value="([^"]*)"', page)[1]
    going = browser.ask("POST", "/account/identities", content=f"csrf={csrf}&provider=town", headers=FORM)
    back = provider.answers(html.unescape(re.search(r'content="0;url=([^"]*)"', going.text)[1]))
    assert browser.ask("GET", back).headers["Location"] == "/account"
    (identity,) = rows(town, ProviderIdentity)
    assert identity.person_id == town.people["viewer"]
    other = Browser(town, provider)
    other.ask("POST", "/sign-in", content=f"token={town.sign_in_token('author')}", headers=FORM)
    csrf = re.search(r'name="csrf" value="([^"]*)"', other.ask("GET", "/account").text)[1]
    going = other.ask("POST", "/account/identities", content=f"csrf={csrf}&provider=town", headers=FORM)
    back = provider.answers(html.unescape(re.search(r'content="0;url=([^"]*)"', going.text)[1]))
    assert other.ask("GET", back).status_code == 403
    assert refusals(town) == ["linked-to-another"]


def test_signing_out_ends_our_session_and_leads_on_to_the_provider(browser, town, provider):
    browser.sign_in()
    kept = dict(browser.cookies)
    csrf = re.search(r'name="csrf" value="([^"]*)"', browser.ask("GET", "/account").text)[1]
    answer = browser.ask("POST", "/sign-out", content=f"csrf={csrf}", headers=FORM)
    assert f"{provider.address}/end?" in html.unescape(answer.text)
    browser.cookies = kept
    assert browser.ask("GET", "/services").status_code == 303


def test_our_own_key_can_stand_in_the_place_of_a_secret(template, provider, tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(private)
    file = written(tmp_path / "etc", provider, secret=f'private_key_file = "{tmp_path / "key.pem"}"\n')
    whole = template.copy(tmp_path / "data", providers_file=file, outgoing=provider.address)
    provider.does(client_key=public.decode())
    assert Browser(whole, provider).sign_in().status_code == 303
    whole.database.dispose()


def test_no_secret_of_ours_lies_in_the_database(browser, town):
    browser.sign_in()
    kept = b"".join(each.read_bytes() for each in town.settings.data_dir.glob("wissel.db*"))
    assert SECRET.encode() not in kept
    assert browser.session.encode() not in kept


@pytest.mark.parametrize(
    "more",
    [
        {"algorithms": "HS256"},
        {"issuer": ""},
        {"name": "Town Hall"},
        {"surprise": "x"},
        {"private_key_file": "/dev/null"},
    ],
    ids=str,
)
def test_a_file_that_says_what_cannot_be_stops_the_start(template, provider, tmp_path, more):
    whole = template.copy(tmp_path / "data")
    file = written(tmp_path / "etc", provider, **more)
    with pytest.raises(ProvidersWrong):
        create_app(whole.settings.model_copy(update={"providers_file": file}))


def test_a_file_that_went_wrong_later_leaves_the_local_way_in(browser, town):
    town.settings.providers_file.write_text("nonsense")
    page = browser.ask("GET", "/sign-in")
    assert (page.status_code, 'name="password"' in page.text) == (200, True)
    assert browser.ask("POST", "/sign-in/providers/town", content="", headers=FORM).status_code == 403


def test_with_a_provider_the_local_way_in_is_shown_beside_it(browser):
    page = browser.ask("GET", "/sign-in").text
    assert "Town account" in page
    assert "Sign in without Town account" in page


def test_what_was_asked_is_kept_as_hashes_only(browser, town):
    state = parse_qs(urlsplit(browser.begin()).query)["state"][0]
    (attempt,) = rows(town, SignInAttempt)
    assert state not in str(attempt.model_dump())
    assert browser.cookies["wissel-asked"] not in str(attempt.model_dump())


def test_the_file_may_be_json_and_name_several(tmp_path, provider, template):
    import json

    (tmp_path / "s").write_text("x")
    each = {"title": "T", "client_id": "c", "client_secret_file": str(tmp_path / "s")}
    told = [{"name": name, "issuer": f"https://{name}.example", **each} for name in ("one", "two")]
    file = tmp_path / "providers.json"
    file.write_text(json.dumps({"provider": told}))
    settings = template.copy(tmp_path / "data").settings.model_copy(update={"providers_file": file})
    assert [found.name for found in providers.load(settings)] == ["one", "two"]
    file.write_text(json.dumps({"provider": [told[0], told[0] | {"name": "three"}]}))
    with pytest.raises(ProvidersWrong):
        providers.load(settings)


def test_the_example_that_ships_is_a_right_one(tmp_path):
    settings = settings_in(tmp_path, providers_file=ROOT / "deploy" / "providers.example.toml")
    (found,) = providers.load(settings)
    assert (found.name, found.units[0].unit) == ("sso", "Burgerzaken")
