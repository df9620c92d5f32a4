"""`wissel backup`, `wissel restore` and `wissel admin link` as a shell sees them: what they say and how they end."""

import json

import pytest

from app.core.backup import loading
from app.core.backup.shape import BackupRefused
from tests.flow.wissel_command import wissel


@pytest.fixture
def shell(monkeypatch, capsys):
    def run(*arguments, folder):
        monkeypatch.setenv("WISSEL_DATA_DIR", str(folder))
        monkeypatch.delenv("WISSEL_DATABASE_URL", raising=False)
        return wissel(monkeypatch, capsys, *arguments)

    return run


def test_a_backup_and_a_restore_say_what_they_hold_and_end_well(shell, whole, tmp_path):
    done = shell("backup", tmp_path / "b", folder=whole.settings.data_dir)
    assert (done.code, "Not in it: sessions" in done.out, "SHA-256" in done.out) == (0, True, True)
    sha256 = next(line for line in done.out.splitlines() if line.startswith("SHA-256")).split()[1]
    done = shell("restore", tmp_path / "b", "--sha256", sha256, folder=tmp_path / "new")
    assert (done.code, "No run was unfinished" in done.out, "wissel admin link" in done.out) == (0, True, True)
    link = shell("admin", "link", "author@example.nl", "--json", folder=tmp_path / "new")
    assert (link.code, json.loads(link.out)["token"][:4]) == (0, "wsl_")


def test_json_is_for_programs(shell, whole, tmp_path):
    made = json.loads(shell("backup", tmp_path / "b", "--json", folder=whole.settings.data_dir).out)
    assert (made["missing"], made["database"], len(made["sha256"])) == ([], "sqlite", 64)
    found = json.loads(shell("restore", tmp_path / "b", "--json", folder=tmp_path / "new").out)
    assert (found["runs"], found["rows"], found["tokenFloor"] > 10**8) == ([], made["rows"], True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("restore", "nowhere"), "can't be read"),
        (("restore", "text"), "no backup of Wissel"),
        (("backup", "text"), "never written over"),
        (("backup", "no/such/folder/b"), "There is no folder"),
        (("restore", "b", "--sha256", "0" * 64), "not the one you gave"),
        (("restore", "b"), "not empty"),
        (("admin", "link", "nobody@example.nl"), "person"),
    ],
)
def test_a_refusal_is_one_sentence_without_a_trace_and_ends_with_1(
    shell, whole, tmp_path, monkeypatch, arguments, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("something else")
    shell("backup", "b", folder=whole.settings.data_dir)
    done = shell(*arguments, folder=whole.settings.data_dir)
    assert (done.code, says in done.err, "Traceback" in done.err) == (1, True, False), done.err


def test_nothing_starts_on_a_folder_in_which_a_restore_was_cut_off(tmp_path):
    (tmp_path / loading.UNFINISHED).touch()
    with pytest.raises(BackupRefused, match="Run `wissel restore` again"):
        loading.refuse_half(tmp_path)
