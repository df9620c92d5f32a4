"""Settings from the environment (``WISSEL_…``), checked at start: a bad setting stops the start."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from app.core.post_settings import PostSettings


class Settings(PostSettings):
    """Everything that an installation can set; an unknown ``WISSEL_`` name in the environment is left alone."""

    model_config = SettingsConfigDict(env_prefix="WISSEL_", extra="ignore")

    data_dir: Path = Path("wissel-data")
    """Folder for the SQLite file, evidence and other local state."""
    database_url: SecretStr | None = None
    """SQLAlchemy or libpq URL (``postgresql://…`` or ``sqlite:///…``); default: SQLite in the data folder.

    Of several hosts (``postgresql://wissel@one:5432,two:5432/wissel``) the one that may be written to is used.
    """
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    base_url: str | None = None
    """Address at which people reach the service, e.g. https://wissel.example.nl; decides cookie and Origin checks."""
    trusted_proxies: str = ""
    """Comma-separated addresses whose X-Forwarded-* headers are believed."""
    organisation: str = "Wissel"
    language: Literal["nl", "en"] = "nl"
    time_zone: str = "Europe/Amsterdam"
    sites: str = "orchestrator"
    """Comma-separated names of the sites whose steps this process's worker runs; ``*`` = all (one machine)."""
    site_policy: Path | None = None
    """YAML file with what runners at this site may touch (`runners.contract.SitePolicy`)."""
    secrets_dir: Path | None = None
    """Folder with one file per ``secret://NAME``; see `runners.secrets` for the order of the sources."""
    openbao_url: str | None = None
    """OpenBao or Vault, e.g. https://bao.example.nl:8200; asked last for a secret."""
    openbao_mount: str = "secret"
    """The KV v2 mount."""
    openbao_path: str = "wissel"
    """Folder in the mount; a site should have one of its own, and a policy for it."""
    openbao_namespace: str = ""
    openbao_token: SecretStr | None = None
    openbao_token_file: Path | None = None
    """File that an agent keeps fresh, instead of a token."""
    openbao_role_id: str = ""
    openbao_secret_id: SecretStr | None = None
    openbao_secret_id_file: Path | None = None
    outgoing: str = ""
    """Comma-separated origins (``scheme://host:port``) that the service itself may call by HTTP; nothing by default."""
    security_contact: str = "mailto:security@wissel.example"
    """Comma-separated addresses (mailto:, https:, tel:) that take reports of weaknesses, the preferred one first."""
    security_policy: str = ""
    """Address (https) of the page that says how reports are dealt with."""
    ca_file: Path | None = None
    """PEM file of certificate authorities that are believed besides those of the system, for calls to others."""
    machine_issuer: str | None = None
    """Provider whose access tokens machine clients may use, exactly as it calls itself; by HTTP, so on `outgoing`."""
    machine_audience: str = ""
    """Audience that these must be for; default `base_url`."""
    tick_seconds: float = Field(default=10, gt=0, le=300)
    """How often the clock looks for due moments."""
    lease_seconds: float = Field(default=15, ge=1, le=600)
    """How long a worker that does not beat is still believed to live; the same for all processes of an installation."""
    runner_user: str = "nobody"
    """Unprivileged user for runner hosts where the process itself is root."""
    reserve_mib: int = Field(default=8, ge=1, le=4096)
    """Size of the reserve in the data folder, given up when the disk is full so that an abort can still be written."""
    audit_key_file: Path | None = None
    """PEM file of the key (Ed25519) that signs the audit log; default: one in the data folder, made at first start."""
    audit_push_file: Path | None = None
    """File, best on another machine's disk, to which each signed head of the audit log is appended."""
    audit_push_url: str | None = None
    """Address to which each signed head of the audit log is posted; `outgoing` must name its origin."""
    audit_stamp_url: str | None = None
    """A time-stamping authority (RFC 3161) for the signed heads; `outgoing` must name its origin."""
    session_hours: float = Field(default=8, gt=0, le=24)
    """How long a session lasts at most, however busy."""
    session_idle_minutes: float = Field(default=60, ge=2, le=1440)
    """How long a session lasts that nobody uses."""
    providers_file: Path | None = None
    """TOML or JSON file with the providers of identities (OpenID Connect); `outgoing` must name their origins."""
    sign_in_key_file: Path | None = None
    """Key that opens the second factors in the database; default ``sign-in.key`` in the data folder, made by itself."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("sites")
    @classmethod
    def _has_a_site(cls, value: str) -> str:
        if not [name for name in value.split(",") if name.strip()]:
            raise ValueError("name at least one site, or *")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _names_proxies(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            try:
                ip_network(each)
            except ValueError:
                raise ValueError(f"'{each}' is not an address or network; name each proxy") from None
        return value

    @field_validator("security_contact")
    @classmethod
    def _names_contacts(cls, value: str) -> str:
        contacts = [part.strip() for part in value.split(",") if part.strip()]
        wrong = [
            each for each in contacts if not re.fullmatch(r"mailto:[^@\s]+@[^@\s]+|https://\S+|tel:\+[0-9-]+", each)
        ]
        if wrong or not contacts:
            raise ValueError(f"{wrong or 'nothing'} is no contact: write mailto:…, https://… or tel:+…")
        return value

    @field_validator("security_policy")
    @classmethod
    def _is_a_page(cls, value: str) -> str:
        if value and not re.fullmatch(r"https://\S+", value):
            raise ValueError("write an address that begins with https://")
        return value

    @field_validator("outgoing")
    @classmethod
    def _names_origins(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            parts = urlsplit(each)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or "@" in each:
                raise ValueError(f"'{each}' is not an origin: write scheme://host:port and nothing more")
        return value

    @model_validator(mode="after")
    def _knows_for_whom(self) -> Self:
        if self.machine_issuer is not None and not self.machine_audience_or_url:
            raise ValueError("machine_issuer needs machine_audience (or base_url): else any token of it would do")
        return self

    @field_validator("ca_file")
    @classmethod
    def _can_be_read(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                value.read_bytes()
            except OSError as error:
                raise ValueError(f"cannot be read: {error}") from error
        return value

    @property
    def machine_audience_or_url(self) -> str:
        """What access tokens must name as their audience."""
        return self.machine_audience or self.base_url or ""

    @property
    def security_contacts(self) -> tuple[str, ...]:
        """Who takes reports of weaknesses, the preferred one first."""
        return tuple(part.strip() for part in self.security_contact.split(",") if part.strip())

    @property
    def outgoing_origins(self) -> tuple[str, ...]:
        """The origins that the service itself may call."""
        return tuple(part.strip() for part in self.outgoing.split(",") if part.strip())

    @model_validator(mode="after")
    def _openbao_is_whole(self) -> Self:
        if self.openbao_url is None:
            return self
        parts = urlsplit(self.openbao_url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("openbao_url: https only, but for a store on this machine")
        if parts.username is not None or parts.path.strip("/") or parts.query:
            raise ValueError("openbao_url: scheme, host and port only; mount and path have settings of their own")
        by_token = self.openbao_token is not None, self.openbao_token_file is not None
        by_role = self.openbao_secret_id is not None, self.openbao_secret_id_file is not None
        if sum((*by_token, *by_role)) != 1 or any(by_role) != bool(self.openbao_role_id):
            raise ValueError(
                "openbao: give a token, a token file, or a role id with its secret id or file; one of them"
            )
        return self

    @property
    def url(self) -> str:
        """Database URL in SQLAlchemy's words."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir.absolute() / 'wissel.db'}"
        text = self.database_url.get_secret_value()
        for plain in ("postgresql://", "postgres://"):
            if text.startswith(plain):
                text = "postgresql+psycopg://" + text.removeprefix(plain)
        return _with_several_hosts(text) if text.startswith("postgresql+psycopg://") else text

    @property
    def names_a_database(self) -> bool:
        """Whether there may be one; of SQLite whether its file is there, for to open it would make an empty one."""
        return self.database_url is not None or (self.data_dir / "wissel.db").is_file()

    @property
    def evidence_dir(self) -> Path:
        """Folder of the evidence store."""
        return self.data_dir.absolute() / "evidence"

    @property
    def served_sites(self) -> frozenset[str]:
        """Names of the sites whose steps this process runs; ``*`` among them means every site."""
        return frozenset(name.strip() for name in self.sites.split(",") if name.strip())

    @property
    def secure(self) -> bool:
        """Whether people reach the service over TLS."""
        return (self.base_url or "").startswith("https://")


def _with_several_hosts(url: str) -> str:
    """libpq's ``one:5432,two:5432`` in SQLAlchemy's words; only a host that may be written to is ever used."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return url
    query = [("host", host) for host in hosts.split(",")] + parse_qsl(parts.query, keep_blank_values=True)
    if not any(name == "target_session_attrs" for name, _ in query):
        query.append(("target_session_attrs", "read-write"))
    return urlunsplit((parts.scheme, f"{user}{at}", parts.path, urlencode(query, safe=":/[]"), ""))
