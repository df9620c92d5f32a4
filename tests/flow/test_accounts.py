"""Passwords, second factors, proofs and resets, the way that people really go."""

import re
import threading
from datetime import timedelta
from urllib.parse import quote

import pytest
import time_machine
from fastapi.routing import iter_route_contexts
from sqlalchemy import update
from sqlmodel import select

from app.access import authenticator, passwords, sealing
from app.access.models import Person, UserSession
from app.access.rules import STEP_UP, Action
from app.access.sign_in_models import LocalAccount, RecoveryCode
from app.core import clock
from app.core.audit import AuditEvent
from app.core.settings import Settings
from app.lab.authenticator import Authenticator
from tests.flow.test_access_by_role import address, declared
from tests.flow.whole import ADMINISTRATOR, API, EVERYBODY, MACHINE, fill, settings_in

PASSWORD = "vier paarden op de dijk"
FORM = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def still():
    """A clock that stands still, five seconds into thirty: as many fit before the next code as the test wants."""
    step = authenticator.step_at(clock.now()) + 1
    with time_machine.travel(step * authenticator.STEP_SECONDS + 5, tick=False) as traveller:
        yield traveller


def by_link(whole, part):
    """A fresh session by a link, in the place of the one that the test made for this person."""
    answer = whole.ask("POST", f"{API}/sessions", body={"signInToken": whole.sign_in_token(part)})
    whole.tokens[part] = answer.json()["token"]


def set_up(whole, part, password=PASSWORD):
    """Password and second factor, as a new person sets them up; the app on the telephone, and recovery codes."""
    by_link(whole, part)
    app = Authenticator(whole.ok("GET", "/account/second-factor-offer", by=part)["secret"])
    told = whole.ok("PUT", "/account/credentials", {"password": password, "code": app.code()}, by=part)
    return app, told["recoveryCodes"]


def sign_in(whole, part, code, password=PASSWORD):
    body = {"email": f"{part}@example.nl", "password": password, "code": code}
    return whole.ask("POST", f"{API}/sessions", body=body)


def rows(whole, table):
    with whole.database.transaction(write=False) as session:
        return session.exec(select(table)).all()


def unproved(whole):
    with whole.database.transaction() as session:
        session.execute(update(UserSession).values(proved_at=None))


def test_who_sets_up_password_and_code_signs_in_by_themselves(whole, still):
    app, codes = set_up(whole, "viewer")
    assert len(set(codes)) == 10
    still.shift(30)
    answer = sign_in(whole, "viewer", app.code())
    assert answer.status_code == 201, answer.text
    whole.tokens["viewer"] = answer.json()["token"]
    told = whole.ok("GET", "/account", by="viewer")
    assert (told["hasPassword"], told["recoveryCodesLeft"], told["resetAt"]) == (True, 10, None)


def test_a_code_is_taken_once_and_none_before_it(whole, still):
    app, _ = set_up(whole, "viewer")
    still.shift(30)
    used = app.code()
    assert sign_in(whole, "viewer", used).status_code == 201
    assert sign_in(whole, "viewer", used).status_code == 401
    step = authenticator.step_at(clock.now())
    secret = whole_secret(whole)
    assert sign_in(whole, "viewer", authenticator.code_of(secret, step - 1)).status_code == 401
    assert sign_in(whole, "viewer", authenticator.code_of(secret, step + 2)).status_code == 401
    assert sign_in(whole, "viewer", authenticator.code_of(secret, step + 1)).status_code == 201


def whole_secret(whole):
    (account,) = rows(whole, LocalAccount)
    return sealing.sealer(whole.settings).open(account.sealed_secret, owner=account.person_id)


def test_one_code_at_two_doors_at_once_opens_one(whole):
    app, _ = set_up(whole, "viewer")
    code, found = app.code(), []
    threads = [threading.Thread(target=lambda: found.append(sign_in(whole, "viewer", code).status_code)) for _ in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(found) == [201, 401]


def test_a_recovery_code_works_once_in_the_place_of_a_code(whole, still):
    _, codes = set_up(whole, "viewer")
    assert sign_in(whole, "viewer", codes[0].upper().replace("-", " ")).status_code == 201
    assert sign_in(whole, "viewer", codes[0]).status_code == 401
    assert sign_in(whole, "viewer", codes[1], password="something else altogether").status_code == 401
    assert sign_in(whole, "viewer", codes[1]).status_code == 201
    assert all(code not in str(row.model_dump()) for row in rows(whole, RecoveryCode) for code in codes)


@pytest.mark.parametrize("wrong", ["email", "password", "code", "closed"])
def test_what_was_wrong_is_told_to_nobody_and_costs_the_same_work(whole, still, wrong, monkeypatch):
    app, _ = set_up(whole, "viewer")
    still.shift(30)
    if wrong == "closed":
        whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"active": False}, by=ADMINISTRATOR)
    work, steps = [], []
    verify, step_of = passwords._HASHER.verify, authenticator.step_of
    monkeypatch.setattr(passwords._HASHER, "verify", lambda *given: work.append(1) or verify(*given))
    monkeypatch.setattr(authenticator, "step_of", lambda *given, **more: steps.append(1) or step_of(*given, **more))
    body = {"email": "viewer@example.nl", "password": PASSWORD, "code": app.code()}
    body |= (
        {wrong: {"email": "nobody@example.nl", "password": "x", "code": "000000"}.get(wrong)} if wrong in body else {}
    )
    answer = whole.ask("POST", f"{API}/sessions", body=body)
    told = answer.json()
    assert (answer.status_code, told["code"], len(work), len(steps)) == (401, "sign-in-refused", 1, 1)
    assert told["detail"].startswith("The e-mail address, the password or the code is not right.")
    (event,) = [each for each in rows(whole, AuditEvent) if each.action == "sign-in"]
    assert (event.result, event.actor) == ("refused", "nobody")


def test_hashing_never_takes_more_than_64_mebibytes_at_once():
    assert passwords.AT_ONCE * passwords.MEMORY_KIB <= 64 * 1024
    taken = [passwords._slots.acquire(blocking=False) for _ in range(passwords.AT_ONCE + 1)]
    for _ in range(sum(taken)):
        passwords._slots.release()
    assert taken == [True] * passwords.AT_ONCE + [False]


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("vier paarden op de dijk", True),
        ("8392017485617204", True),
        ("kort", False),
        ("elf tekens.", False),
        ("x" * 201, False),
        ("Wachtwoord2026!", False),
        ("W4chtw00rd!!!", False),
        ("aaaaaaaaaaaaaaaa", False),
        ("123456789012", False),
        ("qwertyuiop123", False),
        ("welkom welkom welkom", False),
        ("Bo Viewer 2027!!", False),
        ("viewer@example.nl", False),
        ("een\nregel te veel hier", False),
        ("correct horse battery staple", True),
    ],
)
def test_a_password_is_long_and_not_what_everybody_tries(password, good):
    assert (passwords.fault(password, names=("Bo viewer", "viewer@example.nl")) is None) == good


def test_a_letter_typed_in_two_ways_is_one_letter():
    kept = passwords.hashed("vier caf\u00e9s op de dijk")
    assert passwords.is_right("vier cafe\u0301s op de dijk", kept)
    assert not passwords.is_right("vier cafes op de dijk", kept)


def test_a_weak_password_sets_nothing_up(whole):
    by_link(whole, "viewer")
    app = Authenticator(whole.ok("GET", "/account/second-factor-offer", by="viewer")["secret"])
    given = {"password": "Welkom2027!!", "code": app.code()}
    answer = whole.call("PUT", "/account/credentials", given, by="viewer")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "weak-password")
    assert whole.refused("PUT", "/account/credentials", {"password": PASSWORD}, by="viewer") == (409, "no-account")
    wrong = whole.call("PUT", "/account/credentials", {"password": PASSWORD, "code": "000000"}, by="viewer")
    assert wrong.json()["errors"][0]["code"] == "wrong-code"
    assert rows(whole, LocalAccount) == []


def routes_of(whole, wanted):
    """Method and address of each API and page route with one of these actions that changes something."""
    for route in iter_route_contexts(whole.app.routes):
        dependant = getattr(route, "dependant", None)
        actions = declared(dependant) if dependant is not None else set()
        for method in sorted((route.methods or set()) - {"GET", "HEAD"}):
            if actions & wanted and "revocations" not in route.path:
                yield method, address(route.path)


def test_each_route_that_people_answer_for_asks_for_a_proof(whole):
    found = list(routes_of(whole, STEP_UP))
    assert len(found) > 15
    for age in (None, timedelta(minutes=5)):
        with whole.database.transaction() as session:
            session.execute(update(UserSession).values(proved_at=age and clock.now() - age))
        for method, path in found:
            if path.startswith(API):
                assert whole.refused(method, path.removeprefix(API), {}, by=EVERYBODY) == (403, "step-up-needed"), path
    with whole.database.transaction() as session:
        session.execute(update(UserSession).values(proved_at=clock.now() - timedelta(minutes=4)))
    for method, path in found:
        if path.startswith(API):
            assert "step-up-needed" not in whole.call(method, path.removeprefix(API), {}, by=EVERYBODY).text, path


def test_to_take_an_approval_back_asks_for_no_proof(whole):
    unproved(whole)
    assert whole.refused("POST", "/run-approvals/none/revocations", {}, by=EVERYBODY) == (404, "not-found")


def test_whatever_stops_a_run_never_asks_for_a_proof(whole):
    unproved(whole)
    stops = [each for each in routes_of(whole, {Action.OPERATE_RUN}) if each[1].startswith(API)]
    assert any("cancellations" in path for _, path in stops)
    assert any("undos" in path for _, path in stops)
    for method, path in stops:
        assert "step-up-needed" not in whole.call(method, path.removeprefix(API), {}, by="operator").text


def test_a_proof_is_given_with_password_and_code_and_lasts_five_minutes(whole, still):
    app, _ = set_up(whole, "approver")
    still.shift(301)
    path = "/runs/RUN-404/approvals"
    body = {"digest": "a" * 64, "verdict": "approved"}
    assert whole.refused("POST", path, body, by="approver") == (403, "step-up-needed")
    proof = {"password": PASSWORD, "code": "000000"}
    assert whole.refused("POST", "/sessions/current/proofs", proof, by="approver") == (401, "sign-in-refused")
    assert whole.refused("POST", path, body, by="approver") == (403, "step-up-needed")
    whole.ok("POST", "/sessions/current/proofs", {"password": PASSWORD, "code": app.code()}, by="approver")
    assert whole.call("POST", path, body, by="approver").status_code != 403
    assert whole.refused("POST", "/sessions/current/proofs", proof, by=MACHINE)[0] == 403


def test_a_link_alone_proves_nothing(whole):
    by_link(whole, "approver")
    assert whole.call("GET", "/runs", by="approver").status_code == 200
    body = {"digest": "a" * 64, "verdict": "approved"}
    assert whole.refused("POST", "/runs/RUN-404/approvals", body, by="approver") == (403, "step-up-needed")
    proof = {"password": PASSWORD, "code": "123456"}
    assert whole.refused("POST", "/sessions/current/proofs", proof, by="approver") == (409, "no-account")


def test_a_link_for_who_has_an_account_is_a_reset_after_which_nothing_is_approved_for_a_day(whole, still):
    old, _ = set_up(whole, "approver")
    new, _ = set_up(whole, "approver", password="drie schepen in de haven")
    still.shift(30)
    assert sign_in(whole, "approver", old.code()).status_code == 401
    body = {"digest": "a" * 64, "verdict": "approved"}
    assert whole.refused("POST", "/runs/RUN-404/approvals", body, by="approver") == (403, "recently-reset")
    assert whole.ok("GET", "/account", by="approver")["resetAt"] is not None
    assert [each for each in rows(whole, AuditEvent) if each.action == "account.reset"]
    still.shift(24 * 3600)
    answer = sign_in(whole, "approver", new.code(), password="drie schepen in de haven")
    whole.tokens["approver"] = answer.json()["token"]
    assert whole.call("POST", "/runs/RUN-404/approvals", body, by="approver").json()["code"] == "not-found"


def test_what_one_signs_in_with_is_changed_after_a_fresh_proof_only(whole, still):
    app, _ = set_up(whole, "viewer")
    still.shift(301)
    change = {"password": "drie schepen in de haven"}
    assert whole.refused("PUT", "/account/credentials", change, by="viewer") == (403, "step-up-needed")
    assert whole.refused("POST", "/account/recovery-codes", by="viewer") == (403, "step-up-needed")
    other = sign_in(whole, "viewer", app.code()).json()["token"]
    still.shift(30)
    whole.ok("POST", "/sessions/current/proofs", {"password": PASSWORD, "code": app.code()}, by="viewer")
    assert whole.ok("PUT", "/account/credentials", change, by="viewer") == {"recoveryCodes": []}
    assert whole.ask("GET", f"{API}/account", headers={"Authorization": f"Bearer {other}"}).status_code == 401
    assert whole.call("GET", "/account", by="viewer").status_code == 200
    still.shift(30)
    assert sign_in(whole, "viewer", app.code()).status_code == 401
    still.shift(30)
    assert sign_in(whole, "viewer", app.code(), password=change["password"]).status_code == 201


def test_a_link_that_was_used_an_hour_ago_sets_up_nothing(whole, still):
    by_link(whole, "viewer")
    still.shift(31 * 60)
    app = Authenticator(whole.ok("GET", "/account/second-factor-offer", by="viewer")["secret"])
    given = {"password": PASSWORD, "code": app.code()}
    assert whole.refused("PUT", "/account/credentials", given, by="viewer") == (403, "step-up-needed")


def test_the_secret_of_the_second_factor_opens_with_the_key_file_alone(whole, still):
    _, codes = set_up(whole, "viewer")
    key = whole.settings.data_dir / "sign-in.key"
    assert key.stat().st_mode & 0o777 == 0o600
    secret = whole_secret(whole)
    kept = b"".join(each.read_bytes() for each in whole.settings.data_dir.glob("wissel.db*"))
    assert secret not in kept
    assert authenticator.shown(secret).replace(" ", "").encode() not in kept
    key.write_text("ab" * 32)
    sealing._of.cache_clear()
    still.shift(30)
    answer = sign_in(whole, "viewer", authenticator.code_of(secret, authenticator.step_at(clock.now())))
    assert (answer.status_code, answer.json()["code"]) == (503, "second-factor-unreadable")
    assert sign_in(whole, "viewer", "000000", password="something else").status_code == 401
    assert sign_in(whole, "viewer", codes[0]).status_code == 201
    sealing._of.cache_clear()


def test_a_sealed_secret_of_one_person_is_nothing_in_the_row_of_another(tmp_path):
    sealer = sealing.sealer(settings_in(tmp_path))
    sealed = sealer.seal(b"secret", owner="anna")
    assert sealer.open(sealed, owner="anna") == b"secret"
    with pytest.raises(sealing.NotOpened):
        sealer.open(sealed, owner="bert")


def test_nothing_is_there_by_default_that_lets_somebody_in(tmp_path):
    from app.core.db import Database

    settings = settings_in(tmp_path)
    database = Database(settings.url)
    token = fill(database)
    with database.transaction(write=False) as session:
        assert session.exec(select(LocalAccount)).all() == []
        assert len(session.exec(select(Person)).all()) == 1
        assert session.exec(select(UserSession)).all() == []
    database.dispose()
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("wissel.db*"))
    assert token.encode() not in kept
    assert b"$argon2" not in kept
    defaults = [name for name, field in Settings.model_fields.items() if re.search("password|secret|token", name)]
    assert [name for name in defaults if Settings.model_fields[name].default] == []


def post(whole, path, cookies, **fields):
    sent = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    return whole.ask("POST", path, content=sent, headers=FORM, cookies=cookies)


def cookie_of(answer):
    name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
    return {name: value}


def test_a_new_person_is_led_to_set_up_and_back_and_answers_for_things_then(whole, still):
    """All of it by pages: the link, the password, the picture's secret, the recovery codes, the proof."""
    first = post(whole, "/sign-in", {}, token=whole.sign_in_token("approver"), next="/plans")
    assert first.headers["Location"] == "/account/set-up?next=%2Fplans"
    cookies = cookie_of(first)
    page = whole.ask("GET", "/account/set-up?next=/plans", cookies=cookies).text
    assert ("<svg" in page, "style=" in page) == (True, False)
    csrf = re.search(r'name="csrf" value="([^"]*)"', page)[1]
    app = Authenticator(re.search(r'id="factor-secret">([^<]*)<', page)[1].replace(" ", ""))
    differs = post(whole, "/account/set-up", cookies, csrf=csrf, password=PASSWORD, repeated="x", code=app.code())
    assert (differs.status_code, "verschillend" in differs.text) == (400, True)
    still.shift(30)
    given = {"csrf": csrf, "password": PASSWORD, "repeated": PASSWORD, "code": app.code(), "next": "/plans"}
    done = post(whole, "/account/set-up", cookies, **given)
    assert done.status_code == 200, done.text
    assert len(re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", done.text)) == 10
    assert whole.ask("GET", "/plans", cookies=cookies).status_code == 303, "the session goes on under a new secret"
    cookies = cookie_of(done)
    assert whole.ask("GET", "/plans", cookies=cookies).status_code == 200
    still.shift(301)
    form = {**FORM, "Referer": "http://test/runs/RUN-001?tab=now"}
    asked = whole.ask("POST", "/runs/RUN-001/approvals", content=f"csrf={csrf}", headers=form, cookies=cookies)
    assert asked.headers["Location"] == "/sign-in?again=1&next=%2Fruns%2FRUN-001%3Ftab%3Dnow"
    told = whole.ask("GET", asked.headers["Location"], cookies=cookies).text
    assert "niet bewaard" in told
    unsent = whole.ask("GET", "/sign-in?again=1&first=1&next=/runs/RUN-001", cookies=cookies).text
    assert ("Bewijs dat u het bent" in unsent, "niet bewaard" in unsent) == (True, False)
    wrong = post(whole, "/sign-in", cookies, again="1", password=PASSWORD, code="000000", next="/plans")
    assert (wrong.status_code, "klopt niet" in wrong.text) == (401, True)
    proved = post(whole, "/sign-in", cookies, again="1", password=PASSWORD, code=app.code(), next="/plans")
    assert (proved.status_code, proved.headers["Location"]) == (303, "/plans")
    assert cookie_of(proved) != cookies
    again = whole.ask(
        "POST", "/runs/RUN-001/approvals", content=f"csrf={csrf}", headers=FORM, cookies=cookie_of(proved)
    )
    assert again.status_code == 404


def test_a_planted_cookie_never_becomes_a_session(whole):
    planted = {"wissel-session": "wsl_" + "p" * 43}
    answer = post(whole, "/sign-in", planted, token=whole.sign_in_token("viewer"))
    assert cookie_of(answer) != planted
    assert whole.ask("GET", "/services", cookies=planted).status_code == 303
    second = post(whole, "/sign-in", cookie_of(answer), token=whole.sign_in_token("author"))
    assert whole.ask("GET", "/services", cookies=cookie_of(answer)).status_code == 303, "nobody stays behind"
    assert whole.ask("GET", "/services", cookies=cookie_of(second)).status_code == 200


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_bound_to_this_host_over_tls(template, tmp_path, secure):
    base = "https://test" if secure else None
    whole = template.copy(tmp_path / "data", base_url=base)
    form = {**FORM, "Origin": base or "http://test"}
    token = whole.sign_in_token("viewer")
    answer = whole.ask("POST", "/sign-in", content=f"token={token}", headers=form)
    told = answer.headers["Set-Cookie"]
    flags = {each.strip().partition("=")[0].lower() for each in told.split(";")[1:]}
    assert told.startswith("__Host-wissel=" if secure else "wissel-session=")
    assert flags == {"httponly", "max-age", "path", "samesite"} | ({"secure"} if secure else set())
    assert "Path=/;" in told
    whole.database.dispose()


def test_a_session_that_nobody_uses_ends_and_one_that_is_used_ends_after_its_hours(whole, still):
    by_link(whole, "viewer")
    for _ in range(7):
        still.shift(59 * 60)
        assert whole.call("GET", "/services", by="viewer").status_code == 200
    still.shift(59 * 60)
    assert whole.call("GET", "/services", by="viewer").status_code == 200
    still.shift(9 * 60)
    assert whole.call("GET", "/services", by="viewer").status_code == 401, "eight hours are over"
    by_link_again = whole.tokens["author"]
    assert whole.ask("GET", f"{API}/services", headers={"Authorization": f"Bearer {by_link_again}"}).status_code == 401


def test_reading_writes_when_it_was_used_once_a_minute_at_most(whole, still):
    by_link(whole, "viewer")

    def seen():
        return max(each.last_seen_at for each in rows(whole, UserSession) if each.person_id == whole.people["viewer"])

    first = seen()
    still.shift(59)
    whole.ok("GET", "/services", by="viewer")
    assert seen() == first
    still.shift(1)
    whole.ok("GET", "/services", by="viewer")
    assert (seen() - first).total_seconds() == 60


def test_everybody_lists_and_ends_their_own_sessions_and_nobody_elses(whole):
    by_link(whole, "viewer")
    told = whole.ok("GET", "/sessions", by="viewer")["items"]
    assert [each["current"] for each in told].count(True) == 1
    assert {each["method"] for each in told} == {"link"}
    (theirs,) = whole.ok("GET", "/sessions", by="author")["items"]
    assert whole.refused("DELETE", f"/sessions/{theirs['id']}", by="viewer") == (404, "not-found")
    other = next(each for each in told if not each["current"])
    assert whole.call("DELETE", f"/sessions/{other['id']}", by="viewer").status_code == 204
    assert len(whole.ok("GET", "/sessions", by="viewer")["items"]) == len(told) - 1
    by_link(whole, "viewer")
    assert whole.call("DELETE", "/sessions?others=true", by="viewer").status_code == 204
    assert [each["current"] for each in whole.ok("GET", "/sessions", by="viewer")["items"]] == [True]


def test_all_sessions_end_whoever_ends_them_at_the_same_moment(whole):
    tokens = []
    for _ in range(6):
        by_link(whole, "viewer")
        tokens.append(whole.tokens["viewer"])

    def end(token):
        whole.ask("DELETE", f"{API}/sessions", headers={"Authorization": f"Bearer {token}"})

    threads = [threading.Thread(target=end, args=(token,)) for token in tokens]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(each.ended_at for each in rows(whole, UserSession) if each.person_id == whole.people["viewer"])
    ended = [each for each in rows(whole, AuditEvent) if each.action == "session.ended"]
    assert len(ended) == len({each.detail["session_id"] for each in ended}), "each of them once"


def test_who_has_no_role_yet_sets_up_how_to_sign_in(whole):
    whole.ok("PATCH", f"/people/{whole.people['viewer']}", {"roles": []}, by=ADMINISTRATOR)
    set_up(whole, "viewer")
    assert whole.refused("GET", "/services", by="viewer") == (403, "not-allowed")
    assert whole.call("DELETE", "/sessions/current", by="viewer").status_code == 204
