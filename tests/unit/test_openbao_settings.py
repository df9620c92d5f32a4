"""Settings of a store of secrets are checked at the start: one way to sign in, and never in the open over a network."""

import pytest
from pydantic import ValidationError

from app import site_secrets
from app.core.settings import Settings

URL = "https://bao.example.nl:8200"


@pytest.mark.parametrize(
    "given",
    [
        {"openbao_token": "t"},
        {"openbao_token_file": "/run/token"},
        {"openbao_role_id": "r", "openbao_secret_id": "s"},
        {"openbao_role_id": "r", "openbao_secret_id_file": "/run/id"},
        {"openbao_token": "t", "openbao_url": "http://127.0.0.1:8200"},
    ],
)
def test_one_way_to_sign_in_is_accepted(given, tmp_path):
    settings = Settings(**({"openbao_url": URL, "data_dir": tmp_path} | given))
    assert site_secrets.of(settings).look("../x").why == "bad-name"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"openbao_token": "t", "openbao_token_file": "/run/token"},
        {"openbao_role_id": "r"},
        {"openbao_secret_id": "s"},
        {"openbao_token": "t", "openbao_role_id": "r"},
        {"openbao_token": "t", "openbao_url": "http://bao.example.nl:8200"},
        {"openbao_token": "t", "openbao_url": "https://me:pw@bao.example.nl"},
        {"openbao_token": "t", "openbao_url": f"{URL}/v1/secret"},
    ],
)
def test_anything_else_stops_the_start(given):
    with pytest.raises(ValidationError, match="openbao"):
        Settings(**({"openbao_url": URL} | given))


def test_settings_that_are_secret_are_masked_and_a_path_is_not(tmp_path):
    url = "postgresql://wissel:Zeer%2FGeheim1@db/wissel"
    masks = site_secrets.of(Settings(data_dir=tmp_path, database_url=url)).masks
    assert masks.mask("login Zeer/Geheim1 failed") == "login *** failed"
    masks = site_secrets.of(Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/wissel.db")).masks
    assert masks.mask(f"{tmp_path}/wissel.db") == f"{tmp_path}/wissel.db"


def test_a_token_file_that_others_can_read_is_refused(tmp_path):
    file = tmp_path / "token"
    file.write_text("hvs.token")
    file.chmod(0o644)
    settings = Settings(data_dir=tmp_path, openbao_url="http://127.0.0.1:9", openbao_token_file=file)
    assert site_secrets.of(settings).look("db").why == "open-to-others"
