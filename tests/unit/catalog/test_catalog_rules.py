"""Decisions of the catalogue: twins, codes, completeness, what is substantive, secrets in the open."""

from datetime import date

import pytest

from app.catalog import resources
from app.catalog.rules import (
    SUBSTANTIVE,
    Access,
    CodeType,
    Criticality,
    Missing,
    ObjectFacts,
    code_is_valid,
    ends_before_start,
    missing,
    normalised,
    rto_exceeds_mtpd,
    substantive,
)
from app.core.openness import in_document

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zaaksysteem", "ZAAKSYSTEEM"),
        ("Zaak  systeem", " zaak systeem "),
        ("ﬁnanciën", "financiën"),
        ("Straße", "STRASSE"),
        ("Zaak\u200bsysteem", "zaaksysteem"),
        ("Ａｂｃ", "abc"),
        ("Cafe\u0301", "café"),
    ],
)
def test_a_name_written_otherwise_is_the_same_name(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), [("Zaaksysteem", "Zaaksysteem 2"), ("a b", "ab"), ("café", "cafe")])
def test_another_name_is_no_twin(one, other):
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("rto", "mtpd", "exceeds"),
    [
        (10, 9, True),
        (9, 9, False),
        (8, 9, False),
        (None, 9, False),
        (10, None, False),
        (None, None, False),
        (1, 0, True),
    ],
)
def test_an_unknown_goal_never_exceeds(rto, mtpd, exceeds):
    assert rto_exceeds_mtpd(rto, mtpd) is exceeds


@pytest.mark.parametrize(
    ("start", "end", "wrong"),
    [
        (date(2026, 1, 2), date(2026, 1, 1), True),
        (date(2026, 1, 1), date(2026, 1, 1), False),
        (None, date(2026, 1, 1), False),
        (date(2026, 1, 1), None, False),
    ],
)
def test_only_a_known_end_can_lie_before_a_known_start(start, end, wrong):
    assert ends_before_start(start, end) is wrong


def test_what_is_not_assessed_counts_as_critical():
    assert [each for each in Criticality if each.counts_as_critical] == [Criticality.CRITICAL, Criticality.NOT_ASSESSED]


@pytest.mark.parametrize(
    ("kind", "code", "valid"),
    [
        (CodeType.LEI, "7LTWFZYICNSX8D621K86", True),  # Deutsche Bank, from the public LEI index
        (CodeType.LEI, "7LTWFZYICNSX8D621K87", False),
        (CodeType.LEI, "7LTWFZYICNSX8D621K8", False),
        (CodeType.KVK, "12345678", True),
        (CodeType.KVK, "1234567", False),
        (CodeType.KVK, "١٢٣٤٥٦٧٨", False),
        (CodeType.DUNS, "123456789", True),
        (CodeType.DUNS, "12345678", False),
        (CodeType.VAT, "NL001234567B01", True),
        (CodeType.VAT, "001234567B01", False),
        (CodeType.EUID, "NLNHR.12345678", True),
        (CodeType.EUID, "12345678", False),
    ],
)
def test_a_code_fits_its_kind(kind, code, valid):
    assert code_is_valid(kind, code) is valid


def _facts(**but):
    whole = {
        "owner": "beheer",
        "located": True,
        "access": Access.YES,
        "expires_on": None,
        "verified_on": date(2026, 1, 1),
    }
    return ObjectFacts(**whole | but)


@pytest.mark.parametrize(
    ("but", "lacks"),
    [
        ({}, ()),
        ({"owner": ""}, (Missing.OWNER,)),
        ({"located": False}, (Missing.LOCATION,)),
        ({"access": Access.UNKNOWN}, (Missing.ACCESS,)),
        ({"access": Access.NO}, (Missing.ACCESS,)),
        ({"access": Access.PROVEN}, ()),
        ({"expires_on": TODAY}, ()),
        ({"expires_on": date(2026, 11, 22)}, (Missing.EXPIRED,)),
        ({"verified_on": None}, (Missing.VERIFIED,)),
        ({"verified_on": date(2025, 11, 23)}, ()),
        ({"verified_on": date(2025, 11, 22)}, (Missing.VERIFIED,)),
        ({"verified_on": date(2026, 11, 24)}, (Missing.VERIFIED,)),
        ({"owner": "", "verified_on": None}, (Missing.OWNER, Missing.VERIFIED)),
    ],
)
def test_an_object_lacks_exactly_what_is_not_there(but, lacks):
    assert missing(_facts(**but), today=TODAY) == lacks


def test_only_fields_on_the_closed_list_are_substantive():
    assert substantive("object", ["owner", "holder", "version", "description"]) == ("holder", "version")
    assert substantive("service", ["name", "rto"]) == ()


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda resource: resource.kind)
def test_the_closed_list_names_only_fields_that_exist(resource):
    assert SUBSTANTIVE[resource.kind] <= set(resource.shape_in.model_fields) | {"archived", "created"}


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda resource: resource.kind)
def test_derived_columns_cannot_be_typed_in(resource):
    derived = {"id", "ref", "rank", "exit_plan_exists", "last_audit_on", "assurance", "last_tested_at", "last_result"}
    derived |= {"access_evidence", "access_proven_at", "home_since", "source", "revision", "archived_at"}
    assert derived.isdisjoint(resource.shape_in.model_fields)
    assert (derived | {"home_side"}).isdisjoint(resource.shape_patch.model_fields)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"dsn": "secret://noord-dsn"}, []),
        ({"dsn": None}, []),
        ({"dsn": "host=127.0.0.1 user=postgres"}, ["/dsn"]),
        ({"Password": "x"}, ["/Password"]),
        ({"apiToken": "abc"}, ["/apiToken"]),
        ({"private_key": "abc"}, ["/private_key"]),
        ({"public_key": "MCowBQYDK2VwAyEA"}, []),
        ({"nested": [{"db-password": "x"}]}, ["/nested/0/db-password"]),
        ({"health": "http://user:geheim@localhost/"}, ["/health"]),
        ({"conninfo": "host=x password=geheim"}, ["/conninfo"]),
        ({"text": "-----BEGIN PRIVATE KEY-----"}, ["/text"]),
        ({"token": {"value": "x"}}, ["/token"]),
        ({"dsn": "secret://"}, ["/dsn"]),
        ({"data_directory": "/srv/pg", "slot": "zuid", "keyboard": "x", "monkey": "y"}, []),
    ],
)
def test_a_secret_in_the_open_is_seen(document, found):
    assert in_document(document) == found
