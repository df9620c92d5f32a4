"""Reading a plain dump: what it says about itself, and what each failure of a restore means."""

import pytest

from runners.backup.content import _nonsense
from runners.backup.plain import _LEFT_OUT, Head, _meta_command, explain, head
from runners.backup.tools import BackupWrong, CannotLook, Said


def test_the_head_tells_version_and_encoding():
    lines = [
        b"--\n",
        b"-- Dumped from database version 15.6 (Debian 15.6-0+deb12u1)\n",
        b"-- Dumped by pg_dump version 17.2\n",
        b"SET client_encoding = 'LATIN1';\n",
    ]
    assert head(iter(lines)) == Head(server=15, program=17, encoding="LATIN1")
    assert head(iter([])) == Head()


@pytest.mark.parametrize(
    "line",
    [
        b"ALTER TABLE public.permit OWNER TO wissel;\n",
        b"GRANT SELECT ON TABLE public.permit TO clerk;\n",
        b"REVOKE USAGE ON SCHEMA public FROM PUBLIC;\n",
        b"ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA b GRANT SELECT ON TABLES TO c;\n",
        b"SET statement_timeout = 0;\n",
        b"SET transaction_timeout = 0;\n",
        b"CREATE SUBSCRIPTION s CONNECTION host PUBLICATION p;\n",
    ],
)
def test_owners_rights_and_connections_are_left_out(line):
    assert _LEFT_OUT.match(line)


@pytest.mark.parametrize(
    "line",
    [
        b"CREATE TABLE public.permit (\n",
        b"INSERT INTO notes VALUES ('GRANT me;');\n",
        b"ALTER TABLE ONLY public.permit ADD CONSTRAINT permit_pkey PRIMARY KEY (number);\n",
        b"SET client_encoding = 'UTF8';\n",
        b"GRANT SELECT ON a TO b; DROP TABLE c;\n",
    ],
)
def test_everything_else_is_sent(line):
    assert not _LEFT_OUT.match(line)


@pytest.mark.parametrize(("line", "error"), [
    (b"\\! id\n", BackupWrong), (b"\\o |id\n", BackupWrong), (b"\\i /etc/passwd\n", BackupWrong),
    (b"\\copy t from program 'id'\n", BackupWrong), (b"\\set x `id`\n", BackupWrong), (b"\\restricted\n", BackupWrong),
    (b"\\connect other\n", CannotLook), (b"\\c other\n", CannotLook),
])  # fmt: skip
def test_psql_commands_refuse_the_dump(line, error):
    with pytest.raises(error):
        _meta_command(line)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ('extension "postgis" is not available', CannotLook),
        ('permission denied to create extension "file_fdw"', CannotLook),
        ("must be superuser to create a base type", CannotLook),
        ("unsupported version (1.16) in file header", CannotLook),
        ('unrecognized configuration parameter "transaction_timeout"', CannotLook),
        ('relation "permit" already exists', BackupWrong),
        ("could not read from input file: end of file", BackupWrong),
        ('invalid byte sequence for encoding "UTF8": 0xeb', BackupWrong),
    ],
)
def test_what_this_machine_lacks_is_not_held_against_the_backup(message, error):
    with pytest.raises(error) as caught:
        explain(message)
    assert message in caught.value.text.en


@pytest.mark.parametrize("value", ["Zoë", "Łukasz Nowak № 5", "Μαρία", "naïve café", "€ 5", "北京", "Ärger", "ÇA"])
def test_ordinary_text_is_no_nonsense(value):
    assert _nonsense(value) is None


@pytest.mark.parametrize("value", ["ZoÃ«", "cafÃ©", "â‚¬ 5", "Zo\ufffd", b"Zo\xeb"])
def test_text_that_went_through_a_wrong_encoding_is_seen(value):
    assert _nonsense(value) is not None


def test_the_first_error_of_a_program_is_the_reason():
    said = Said(1, "pg_restore: connecting\npg_restore: error: could not read: end of file\nLINE 1: x\n")
    assert said.first_error == "could not read: end of file"
    assert Said(3, "").last == "code 3"
