"""Programs that a provider vouches for: against a provider that is a process of its own, and hostile ones."""

import json
import subprocess
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from app.access import clients
from app.access.token_models import MachineToken
from app.core import clock
from tests.flow.machine_provider import CLAIMS, HEADERS
from tests.flow.whole import ADMINISTRATOR, EVERYBODY, MACHINE

HERE = "https://wissel.example.nl"
"""What tokens for us name as their audience."""
BENT = {
    **dict.fromkeys(("none", "hs-public", "hs-known", "list-as-alg"), "signed in a way that is not accepted"),
    **dict.fromkeys(("stranger", "own-key", "cut", "unsigned", "flipped"), "bad_signature"),
    "own-key-inside": "exceeded_size",
    "crit": "asks for what we do not know",
    "huge": "too long",
    **dict.fromkeys(("id-token", "no-kind"), "no access token"),
    **dict.fromkeys(("unknown-key", "path-as-key"), "0 keys of this name"),
    **dict.fromkeys(("no-key", "list-as-key"), "which key signed it"),
    **dict.fromkeys(("audience", "no-audience"), "another audience"),
    **dict.fromkeys(("issuer", "issuer-slash"), "another issuer"),
    **dict.fromkeys(("no-client", "client-list", "no-subject", "no-jti"), "for whom it is"),
    "over": "it is over",
    **dict.fromkeys(("early", "from-tomorrow"), "not good yet"),
    **dict.fromkeys(("long", "end-before-begin"), "good for too long"),
    **dict.fromkeys(("no-end", "end-as-text", "end-yes", "end-nan", "end-endless", "end-far"), "its exp is no moment"),
    "no-begin": "its iat is no moment",
    "bound": "bound to a key",
    **dict.fromkeys(("person", "other-client"), ""),
}
"""What is done to a token, and why it is refused; nothing, where the provider means it and nobody is registered so."""


class Issuer:
    """The provider, and a client that proves itself to it with a key that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.keys = {name: ECKey.generate_key("P-256") for name in ("robot", "second")}
        known = folder / "clients.json"
        known.write_text(json.dumps({name: key.as_dict(private=False) for name, key in self.keys.items()}))
        root = Path(__file__).parents[2]
        command = [sys.executable, "-m", "tests.flow.machine_provider", str(known)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def ask(self, client="robot", *, key=None, **sent):
        now = int(time.time())
        claims = {"iss": client, "sub": client, "aud": f"{self.url}/token", "jti": uuid.uuid4().hex, "exp": now + 60}
        assertion = jwt.encode({"alg": "ES256"}, claims, key or self.keys[client], algorithms=["ES256"])
        body = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "resource": HERE,
        }
        return httpx.post(f"{self.url}/token", data=body | sent, trust_env=False)

    def token(self, client="robot", **sent):
        answer = self.ask(client, **sent)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def lies(self, how=""):
        httpx.post(f"{self.url}/lie", data={"lie": how}, trust_env=False)

    def end(self):
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    made = Issuer(tmp_path_factory.mktemp("issuer"))
    yield made
    made.end()


@pytest.fixture
def site(template, tmp_path, issuer):
    issuer.lies()
    made = template.copy(
        tmp_path / "data", machine_issuer=issuer.url, machine_audience=HERE, outgoing=issuer.url, base_url=None
    )
    made.service(name="Dienst Burgerzaken", unit="Burgerzaken")
    made.service(name="Dienst Sociaal domein", unit="Sociaal domein")
    yield made
    made.database.dispose()


def registered(site, **more):
    given = {"name": "robot", "clientId": "robot", "actions": ["edit-catalog"], "units": ["Burgerzaken"]} | more
    return site.ok("POST", "/machine-clients", given, by=EVERYBODY)


def knock(site, token, method="GET", path="/services", body=None):
    headers = {"Authorization": f"Bearer {token}"}
    return site.ask(method, f"/api/v1{path}", headers=headers, body=body)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "Ed25519"])
def test_a_client_works_with_what_the_provider_gives_it(site, issuer, algorithm):
    registered(site)
    token = issuer.token(alg=algorithm)
    assert knock(site, token).json()["total"] == 1
    assert knock(site, token, "PATCH", "/services/SVC-001", {"description": "x"}).status_code == 200
    assert knock(site, token, "PATCH", "/services/SVC-002", {"description": "x"}).status_code == 404
    assert knock(site, token, "POST", "/findings", {}).status_code == 403
    assert knock(site, issuer.token(bend="audiences", alg=algorithm)).status_code == 200
    (row,) = site.ok("GET", "/machine-tokens?q=robot&sort=-createdAt", by=ADMINISTRATOR)["items"][:1]
    assert (row["clientId"], row["prefix"], row["lastUsedFrom"]) == ("robot", "", "127.0.0.1")


def test_the_provider_itself_believes_only_the_clients_own_key(issuer):
    assert issuer.ask(key=ECKey.generate_key("P-256")).status_code == 401
    assert issuer.ask("robot", key=issuer.keys["second"]).status_code == 401


def test_each_hostile_token_is_tried():
    assert {*CLAIMS, *HEADERS} <= set(BENT)


@pytest.mark.parametrize("bend", BENT)
def test_a_bent_token_lets_nobody_in(site, issuer, bend):
    registered(site)
    with capture_logs() as told:
        answer = knock(site, issuer.token(bend=bend))
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")
    assert BENT[bend] in "".join(each["reason"] for each in told if "reason" in each), "refused for another reason"
    assert knock(site, issuer.token()).status_code == 200, "and it locks the real one out of nothing"


def test_a_client_that_nobody_registered_gets_nothing(site, issuer):
    registered(site)
    assert knock(site, issuer.token("second")).status_code == 401


def test_a_token_is_no_cookie(site, issuer):
    registered(site)
    token = issuer.token()
    assert site.ask("GET", "/services", cookies={"wissel-session": token}).status_code == 303


def test_a_client_ends_at_once_and_can_be_registered_again(site, issuer):
    row = registered(site)
    token = issuer.token()
    again = {"name": "x", "clientId": "robot", "actions": ["read"], "everywhere": True}
    assert site.refused("POST", "/machine-clients", again, by=EVERYBODY) == (409, "client-known")
    site.ok("POST", f"/machine-tokens/{row['id']}/revocations", by=ADMINISTRATOR)
    assert knock(site, token).status_code == 401
    site.ok("POST", "/machine-clients", again, by="viewer")
    assert knock(site, token).json()["total"] == 2
    site.ok("PATCH", f"/people/{site.people['viewer']}", {"active": False}, by=ADMINISTRATOR)
    assert knock(site, token).status_code == 401


def test_a_registration_ends_after_its_days_and_can_be_made_again(site, issuer):
    row = registered(site, validDays=5)
    with site.database.transaction() as session:
        session.get(MachineToken, row["id"]).expires_at = clock.now() - timedelta(seconds=1)
    assert knock(site, issuer.token()).status_code == 401
    registered(site)
    assert knock(site, issuer.token()).status_code == 200


def test_another_subject_than_the_client_is_said_at_registration(site, issuer):
    registered(site, subject="anna")
    assert knock(site, issuer.token(bend="person")).status_code == 200
    assert knock(site, issuer.token()).status_code == 401


@pytest.mark.parametrize("lie", ["issuer", "keys", "broken"])
def test_a_provider_that_cannot_be_read_is_told_as_that(site, issuer, lie):
    registered(site)
    token = issuer.token()
    issuer.lies(lie)
    answer = knock(site, token)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider-away")
    assert "Retry-After" in answer.headers
    assert site.call("GET", "/services", by=MACHINE).status_code == 200


def test_a_provider_that_is_gone_stops_nobody_whose_key_is_known(site, tmp_path):
    away = Issuer(tmp_path)
    settings = site.settings.model_copy(update={"machine_issuer": away.url, "outgoing": away.url})
    provider = clients.Provider(settings, ask_again=0)
    token, other = away.token(), away.token(bend="unknown-key")
    assert provider.claims(token, now=clock.now())["client_id"] == "robot"
    away.end()
    assert provider.claims(token, now=clock.now())["client_id"] == "robot"
    assert provider.claims(other, now=clock.now()) is None
    with pytest.raises(clients.ProviderAway):
        clients.Provider(settings).claims(token, now=clock.now())


def test_a_new_key_of_the_provider_is_read_when_it_is_first_met_but_not_at_every_guess(site, issuer):
    first = issuer.token()
    often, seldom = clients.Provider(site.settings, ask_again=0), clients.Provider(site.settings)
    for provider in (often, seldom):
        assert provider.claims(first, now=clock.now()) is not None
    new = issuer.token(bend="rotated")
    assert often.claims(new, now=clock.now()) is not None
    assert seldom.claims(new, now=clock.now()) is None


def test_without_a_provider_there_are_no_clients(whole, issuer):
    given = {"name": "x", "clientId": "robot", "actions": ["read"], "everywhere": True}
    assert whole.refused("POST", "/machine-clients", given, by=EVERYBODY) == (409, "no-machine-provider")
    assert knock(whole, issuer.token()).status_code == 401


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"clientId": ""}, "clientId"),
        ({"clientId": "a b"}, "clientId"),
        ({"clientId": "ünïcode"}, "clientId"),
        ({"validDays": 367}, "validDays"),
        ({"actions": ["approve-run"]}, "actions"),
        ({"units": ["Nergens"]}, "units.0"),
        ({"tokenHash": "x"}, "tokenHash"),
    ],
)
def test_a_wrong_registration_is_refused_with_its_field(site, change, fault):
    given = {"name": "robot", "clientId": "robot", "actions": ["read"], "units": ["Burgerzaken"]} | change
    answer = site.call("POST", "/machine-clients", given, by=EVERYBODY)
    assert answer.status_code == 400
    assert fault in {each["field"] for each in answer.json()["errors"]}
