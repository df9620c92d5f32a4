"""A provider of identities (OpenID Connect) of our own: a process with real keys and real HTTP, which can be hostile.

``python -m tests.flow.identity_provider`` prints its port. It signs in whoever ``/control`` says, and does wrong what
``/control`` says: ``{"claims": {…}, "drop": [..], "header": {…}, "sign": "none|hs-public|other-key|unknown-kid", …}``.
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "wissel", "the-secret-of-wissel"
CODE_SECONDS = 60


def _rsa(kid: str) -> RSAKey:
    return RSAKey.import_key(rsa.generate_private_key(65537, 2048), {"kid": kid, "use": "sig"})


class World:
    """What the provider knows, and what it does wrong."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.keys: dict[str, Any] = {"first": _rsa("first"), "ec": ECKey.generate_key("P-256", {"kid": "ec"})}
        self.other = _rsa("first")
        self.signing = "first"
        self.codes: dict[str, dict[str, str]] = {}
        self.wrong: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def told(self) -> dict[str, Any]:
        found = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "end_session_endpoint": f"{self.address}/end",
            "authorization_response_iss_parameter_supported": True,
        }
        return found | self.wrong.get("discovery", {})

    def token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": "anna",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "name": "Anna de Vries",
            "email": "anna@provider.example",
            "email_verified": True,
            "groups": ["wissel-approvers"],
        }
        if asked.get("max_age") == "0":
            claims |= {"auth_time": now, "acr": asked.get("acr_values", "").split(" ")[0], "amr": ["pwd", "otp"]}
        claims |= self.wrong.get("claims", {})
        claims |= {name: now + more for name, more in self.wrong.get("later", {}).items()}
        for name in self.wrong.get("drop", []):
            claims.pop(name, None)
        return self.signed(claims)

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.keys[self.signing]
        header = {"alg": "ES256" if self.signing == "ec" else "RS256", "kid": self.signing}
        match self.wrong.get("sign"):
            case "none":
                parts = [{"alg": "none", "typ": "JWT"}, claims]
                return ".".join(_b64(json.dumps(each).encode()) for each in parts) + "."
            case "hs-public":
                pem = self.keys["first"].as_pem(private=False)
                parts = [{"alg": "HS256", "kid": "first", "typ": "JWT"}, claims]
                told = ".".join(_b64(json.dumps(each).encode()) for each in parts)
                return f"{told}.{_b64(hmac.new(pem, told.encode(), hashlib.sha256).digest())}"
            case "other-key":
                key = self.other
            case "unknown-kid":
                header["kid"] = "nobody"
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    world: World

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/.well-known/openid-configuration":
                self._discovery()
            case "/jwks":
                keys = [key.as_dict(private=False) | {"kid": kid} for kid, key in self.world.keys.items()]
                self._json({"keys": keys})
            case "/authorize":
                self._authorize(query)
            case "/seen":
                self._json({"seen": self.world.seen})
            case _:
                self._json({"error": "not found"}, 404)

    def _discovery(self) -> None:
        match self.world.wrong.get("shape"):
            case "huge":
                self._raw(b'{"issuer": "' + b"x" * (1 << 22) + b'"}')
            case "slow":
                time.sleep(20)
            case "redirect":
                self._go(f"{self.world.address}/elsewhere")
            case "list":
                self._raw(b"[]")
            case "broken":
                self._raw(b"{" * 5000)
            case _:
                self._json(self.world.told())

    def _authorize(self, query: dict[str, str]) -> None:
        self.world.seen.append({"at": "authorize", **query})
        code = secrets.token_urlsafe(16)
        with self.world.lock:
            self.world.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.world.address} | self.world.wrong.get("back", {})
        self._go(query["redirect_uri"] + "?" + urlencode({name: value for name, value in back.items() if value}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/control":
            self.world.wrong = json.loads(body)
            if rotated := self.world.wrong.pop("rotate", None):
                self.world.keys[rotated], self.world.signing = _rsa(rotated), rotated
            if self.world.wrong.get("key"):
                self.world.signing = self.world.wrong["key"]
            self._json({})
        else:
            self._token({name: values[0] for name, values in parse_qs(body).items()})

    def _token(self, given: dict[str, str]) -> None:
        self.world.seen.append({"at": "token", **given})
        with self.world.lock:
            asked = self.world.codes.pop(given.get("code", ""), None)
        if asked is None or not self._is_client(given) or given.get("redirect_uri") != asked["redirect_uri"]:
            return self._json({"error": "invalid_grant"}, 400)
        digest = _b64(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if asked.get("code_challenge_method") != "S256" or digest != asked.get("code_challenge"):
            return self._json({"error": "invalid_grant"}, 400)
        told = {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": self.world.token(asked)}
        return self._json(told | self.world.wrong.get("answer", {}), self.world.wrong.get("status", 200))

    def _is_client(self, given: dict[str, str]) -> bool:
        if "client_assertion" in given:
            key = RSAKey.import_key(self.world.wrong["client_key"])
            found = jwt.decode(given["client_assertion"], key, algorithms=["RS256"]).claims
            return (found["iss"], found["sub"], found["aud"]) == (CLIENT, CLIENT, self.world.address)
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        sent = base64.b64decode(value).decode().split(":") if scheme == "Basic" else []
        return [unquote(each) for each in sent] == [CLIENT, SECRET]

    def _json(self, told: Any, status: int = 200) -> None:
        self._raw(json.dumps(told).encode(), status)

    def _raw(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _go(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.world = World(f"http://127.0.0.1:{server.server_port}")
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
