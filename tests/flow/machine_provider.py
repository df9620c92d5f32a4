"""A provider of access tokens as a process of its own: keys, discovery, and a token endpoint for ``private_key_jwt``.

``python -m tests.flow.machine_provider CLIENTS.json`` prints its port. It takes client assertions as RFC 7523 says and
gives access tokens as RFC 9068 does; `bend` in a request makes a hostile provider of it, or a thief with its token.
"""

import base64
import hashlib
import hmac
import json
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

KEYS = {
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "okp", "use": "sig"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "okp-too", "use": "sig", "alg": "Ed25519"}),
}
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
"""A key that is nobody's, under the name of the provider's."""
LATER = RSAKey.generate_key(2048, {"kid": "later", "use": "sig"})
"""Shown from the first time that it signs on."""
CLAIMS = {
    "audience": {"aud": "https://elsewhere.example"},
    "no-audience": {"aud": None},
    "issuer": {"iss": "https://elsewhere.example"},
    "issuer-slash": {"iss": "{issuer}/"},
    "person": {"sub": "anna"},
    "other-client": {"client_id": "unknown", "sub": "unknown"},
    "no-client": {"client_id": None},
    "client-list": {"client_id": ["robot"]},
    "no-subject": {"sub": None},
    "no-jti": {"jti": None},
    "over": {"iat": "-3600", "exp": "-60"},
    "early": {"nbf": "+600"},
    "from-tomorrow": {"iat": "+600", "exp": "+900"},
    "long": {"exp": "+7200"},
    "no-end": {"exp": None},
    "end-before-begin": {"iat": "+20", "exp": "+10"},
    "no-begin": {"iat": None},
    "end-as-text": {"exp": "text"},
    "end-yes": {"exp": True},
    "end-nan": {"exp": float("nan")},
    "end-endless": {"exp": float("inf")},
    "end-far": {"exp": 1e30},
    "bound": {"cnf": {"jkt": "x"}},
}
HEADERS = {
    "id-token": {"typ": "JWT"},
    "no-kind": {"typ": None},
    "unknown-key": {"kid": "nobody"},
    "no-key": {"kid": None},
    "path-as-key": {"kid": "../../etc/passwd"},
    "list-as-key": {"kid": ["rsa"]},
}


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def packed(header: dict, claims: dict) -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"


class Provider(BaseHTTPRequestHandler):
    """One answer."""

    clients: dict = {}
    used: set = set()
    shown: list = list(KEYS.values())
    lie = ""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: dict) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def do_GET(self) -> None:
        if self.path.endswith("/openid-configuration"):
            issuer = "https://elsewhere.example" if Provider.lie == "issuer" else self.issuer
            keys = "http://127.0.0.1:1/keys" if Provider.lie == "keys" else f"{self.issuer}/keys"
            self.answer(200, {"issuer": issuer, "jwks_uri": keys, "token_endpoint": f"{self.issuer}/token"})
        elif self.path == "/keys" and Provider.lie == "broken":
            self.answer(200, {"keys": "none"})
        elif self.path == "/keys":
            self.answer(200, {"keys": [each.as_dict(private=False) for each in Provider.shown]})
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        sent = {
            name: values[0]
            for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        if self.path == "/lie":
            Provider.lie = sent.get("lie", "")
            return self.answer(200, {})
        client = self.proven(sent)
        if client is None:
            return self.answer(401, {"error": "invalid_client"})
        return self.answer(200, {"access_token": self.token(client, sent), "token_type": "Bearer"})

    def proven(self, sent: dict) -> str | None:
        """The client that signed the assertion, by RFC 7523; None where none did."""
        if sent.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return None
        try:
            peeked = json.loads(base64.urlsafe_b64decode(sent["client_assertion"].split(".")[1] + "=="))
            key = ECKey.import_key(Provider.clients[peeked["sub"]])
            claims = jwt.decode(sent["client_assertion"], key, algorithms=["ES256"]).claims
        except Exception:
            return None
        good = claims["iss"] == claims["sub"] and claims["aud"] == f"{self.issuer}/token"
        if not good or claims["exp"] < time.time() or claims["jti"] in Provider.used:
            return None
        Provider.used.add(claims["jti"])
        return claims["sub"]

    def token(self, client: str, sent: dict) -> str:
        bend, algorithm, now = sent.get("bend", ""), sent.get("alg", "RS256"), int(time.time())
        key = KEYS.get(algorithm, KEYS["RS256"])
        header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid} | HEADERS.get(bend, {})
        claims = {"iss": self.issuer, "aud": sent["resource"], "sub": client, "client_id": client}
        claims |= {"iat": now, "exp": now + 300, "jti": uuid.uuid4().hex}
        if bend == "audiences":
            claims["aud"] = ["https://elsewhere.example", sent["resource"]]
        for name, value in CLAIMS.get(bend, {}).items():
            relative = isinstance(value, str) and value[:1] in "+-"
            claims[name] = now + int(value) if relative else value
        if bend == "issuer-slash":
            claims["iss"] = f"{self.issuer}/"
        header, claims = ({k: v for k, v in each.items() if v is not None} for each in (header, claims))
        if algorithm != "RS256":
            return jwt.encode(header, claims, key, algorithms=[algorithm])
        return self.signed(bend, header, claims, key)

    def signed(self, bend: str, header: dict, claims: dict, key: RSAKey) -> str:
        away = "http://127.0.0.1:1/keys"
        by = {"stranger": STRANGER, "own-key": STRANGER, "own-key-inside": STRANGER, "rotated": LATER}.get(bend, key)
        header |= {
            "none": {"alg": "none"},
            "hs-public": {"alg": "HS256"},
            "hs-known": {"alg": "HS256"},
            "own-key": {"jku": away, "x5u": away},
            "own-key-inside": {"jwk": STRANGER.as_dict(private=False)},
            "rotated": {"kid": "later"},
            "crit": {"crit": ["exp"]},
            "list-as-alg": {"alg": ["RS256"]},
        }.get(bend, {})
        text = packed(header, claims)
        if bend == "rotated":
            Provider.shown = [*KEYS.values(), LATER]
        if bend in ("hs-public", "hs-known"):
            secret = (
                key.as_pem(private=False) if bend == "hs-public" else json.dumps(key.as_dict(private=False)).encode()
            )
            return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"
        signature = encoded(by.private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
        return spoiled(bend, *text.split("."), signature)


def spoiled(bend: str, head: str, body: str, signature: str) -> str:
    """A token that somebody laid hands on, on its way."""
    match bend:
        case "none" | "unsigned":
            return f"{head}.{body}."
        case "cut":
            return f"{head}.{body}.{signature[:-10]}"
        case "flipped":
            middle = len(body) // 2
            return f"{head}.{body[:middle]}{'A' if body[middle] != 'A' else 'B'}{body[middle + 1 :]}.{signature}"
        case "huge":
            return f"{head}.{body}.{signature}{'A' * 9_000}"
        case _:
            return f"{head}.{body}.{signature}"


if __name__ == "__main__":
    Provider.clients = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    print(server.server_address[1], flush=True)
    server.serve_forever()
