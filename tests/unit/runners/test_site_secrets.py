"""Where a site's secrets come from: the order of the sources, files that are not trusted, names that are none."""

import os

import pytest

from runners.contract import CommandTemplate, SitePolicy
from runners.openbao import Login, OpenBao
from runners.secrets import LONGEST, Looked, NotHeld, SiteSecrets, Source, Why, of_command, references, told

VALUE = "the value of it"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "secrets"
    made.mkdir(mode=0o700)
    return made


def put(folder, name, content=VALUE, mode=0o600):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return file


class Store:
    """Stands for a store outside: what it was asked, and what it says."""

    def __init__(self, **values) -> None:
        self.values, self.asked = values, []

    def get(self, name):
        self.asked.append(name)
        found = self.values.get(name)
        if isinstance(found, Why):
            raise NotHeld(found)
        return found


def test_the_first_source_that_has_a_name_decides(tmp_path, folder):
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    environment = {"CREDENTIALS_DIRECTORY": str(credentials), "WISSEL_SECRET_DB_MAIN": "of the environment"}
    put(credentials, "db.main", "of the credentials")
    put(folder, "db.main", "of the folder\r\n")
    store = Store(**{"db.main": "of the store"})
    seen = []
    for taken in (None, lambda: environment.pop("WISSEL_SECRET_DB_MAIN"), (credentials / "db.main").unlink,
                  (folder / "db.main").unlink):  # fmt: skip
        if taken:
            taken()
        secrets = SiteSecrets(environment, folder=folder, store=store)
        seen.append((secrets.value("db.main"), secrets.look("db.main")))
    every = (Source.ENVIRONMENT, Source.CREDENTIALS, Source.FOLDER)
    assert seen == [
        ("of the environment", Looked(every[0], also=every[1:])),
        ("of the credentials", Looked(every[1], also=every[2:])),
        ("of the folder", Looked(every[2])),
        ("of the store", Looked(Source.OPENBAO)),
    ]


@pytest.mark.parametrize(
    ("mode", "why"),
    [(0o600, None), (0o400, None), (0o640, None), (0o644, "open"), (0o604, "open"), (0o660, "open"), (0o602, "open")],
)
def test_a_file_that_others_can_read_or_write_is_refused(folder, mode, why):
    put(folder, "db", mode=mode)
    looked = SiteSecrets({}, folder=folder).look("db")
    assert looked == (Looked(why=Why.OPEN_TO_OTHERS) if why else Looked(Source.FOLDER))


def test_a_source_that_is_not_trusted_is_not_passed_over(folder):
    put(folder, "db", mode=0o644)
    store = Store(db="what somebody else chose")
    with pytest.raises(NotHeld, match="open-to-others"):
        SiteSecrets({}, folder=folder, store=store).value("db")
    assert store.asked == []


def test_a_folder_to_which_everybody_may_write_is_refused(folder):
    put(folder, "db")
    folder.chmod(0o777)
    assert SiteSecrets({}, folder=folder).look("db").why is Why.OPEN_TO_OTHERS


@pytest.mark.parametrize(
    "name",
    ["../db", "a/b", "/etc/passwd", "..", ".", ".hidden", "", "-x", "a b", "a\0b", "a\n", "é", "x" * 101, "a%2Fb"],
)
def test_a_name_can_not_be_a_path(folder, name):
    (folder.parent / "db").write_text(VALUE)
    store = Store()
    assert SiteSecrets({}, folder=folder, store=store).look(name).why is Why.BAD_NAME
    assert store.asked == []
    assert references(f"secret://{name}") == set()


def test_a_link_leads_nowhere_but_inside_the_folder(folder):
    put(folder, "real")
    put(folder.parent, "outside")
    (folder / "inside").symlink_to("real")
    (folder / "out").symlink_to("../outside")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "round").symlink_to("round")
    (folder / "below").mkdir()
    os.mkfifo(folder / "pipe", 0o600)
    secrets = SiteSecrets({}, folder=folder)
    assert secrets.value("inside") == VALUE
    seen = {name: secrets.look(name).why for name in ("out", "nowhere", "below", "pipe", "absent")}
    assert seen == {"out": Why.NO_FILE, "nowhere": Why.NO_FILE, "below": Why.NO_FILE, "pipe": Why.NO_FILE,
                    "absent": Why.MISSING}  # fmt: skip
    assert secrets.look("round").why in (Why.NO_FILE, Why.UNREADABLE)


@pytest.mark.parametrize(
    ("content", "why"),
    [("12345", Why.TOO_SHORT), ("", Why.TOO_SHORT), (b"\xff" * 9, Why.NOT_TEXT), ("x" * (LONGEST + 1), Why.TOO_LONG)],
)  # fmt: skip
def test_what_can_not_be_masked_or_is_no_text_is_refused(folder, content, why):
    put(folder, "db", content)
    assert SiteSecrets({}, folder=folder).look("db") == Looked(why=why)


def test_a_short_value_in_the_environment_is_refused_and_says_what_to_do():
    secrets = SiteSecrets({"WISSEL_SECRET_DB": "geit"})
    assert secrets.look("db").why is Why.TOO_SHORT
    assert "choose a longer secret" in told("db", Why.TOO_SHORT).en
    assert secrets.masks.mask("de geit") == "de geit"


def test_every_value_of_a_site_is_masked_though_no_step_asked_for_it(folder):
    put(folder, "db", "of-the-folder")
    secrets = SiteSecrets({"WISSEL_SECRET_X": "of-the-environment"}, folder=folder)
    secrets.learn()
    assert secrets.masks.mask("of-the-folder of-the-environment") == "*** ***"


def test_a_call_gets_what_it_names_and_no_other():
    secrets = SiteSecrets({"WISSEL_SECRET_A": "value of a", "WISSEL_SECRET_B": "value of b"})
    params = {"dsn": "secret://a", "deep": [{"x": ("secret://none",)}], "text": "see secret://b", "number": 3}
    handed = secrets.hand(references(params))
    assert handed.values == {"secret://a": "value of a"}
    assert handed.missing["secret://none"].nl == "geheim 'none': deze locatie heeft het niet"


def test_a_command_gets_the_secrets_of_its_own_template():
    one = CommandTemplate(argv=("/bin/true",), environment={"PGPASSWORD": "secret://db", "LANG": "C"})
    policy = SitePolicy(
        commands={"one": one, "two": CommandTemplate(argv=("/bin/true",), environment={"X": "secret://x"})}
    )
    assert of_command(policy, {"command": "one"}) == {"secret://db"}
    assert of_command(policy, {"command": ["one"]}) == set()


def test_a_value_of_the_store_is_kept_for_a_while_and_its_refusal_is_not():
    store = Store(db=VALUE, none=Why.SEALED)
    secrets = SiteSecrets({}, store=store)
    assert [secrets.value("db") for _ in range(3)] == [VALUE] * 3
    for _ in range(2):
        assert secrets.look("none").why is Why.SEALED
    assert store.asked == ["db", "none", "none"]


def test_a_token_that_can_stand_in_no_header_is_not_repeated():
    bao = OpenBao("http://127.0.0.1:1", Login(token=lambda: "tok\r\nen: sécret"))
    with pytest.raises(NotHeld) as refused:
        bao.get("db")
    assert refused.value.why is Why.STRANGE_ANSWER
    assert "tok" not in str(refused.value)
