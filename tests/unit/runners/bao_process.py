"""A process that speaks the KV v2 API of OpenBao, `bao_process.py PORT_FILE`; it misbehaves by the name asked for."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN, ROLE, SECRET_ID = os.environ.get("BAO_TOKEN", "root-token"), "role", "secret-id"
VALUES: dict[str, dict[str, object]] = {
    "canary-bao": {"value": os.environ.get("BAO_VALUE", "")},
    "db": {"value": "bao-value", "other": "x"},
    "single": {"password": "only-field"},
    "two": {"a": "1", "b": "2"},
    "number": {"value": 12345678},
    "short": {"value": "abc"},
    "slow": {"value": "too late for that"},
}
ODD: dict[str, tuple[int, object, dict[str, str]]] = {
    "denied": (403, {"errors": ["permission denied"]}, {}),
    "sealed": (503, {"errors": ["Vault is sealed"]}, {}),
    "broken": (500, {"errors": ["internal error"]}, {}),
    "redirect": (307, b"", {"location": "/v1/secret/data/wissel/db"}),
    "huge": (200, {"data": {"data": {"value": "x" * 3_000_000}}}, {}),
    "garbage": (200, b"<html>" + b"[" * 100_000, {}),
    "deleted": (404, {"data": {"data": None, "metadata": {"destroyed": True}}}, {}),
}


class Bao(BaseHTTPRequestHandler):
    logins: list[str] = []
    asked: list[str] = []

    def log_message(self, *_: object) -> None: ...

    def say(self, status: int, body: object, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/auth/approle/login" or given != {"role_id": ROLE, "secret_id": SECRET_ID}:
            return self.say(400, {"errors": ["invalid role or secret ID"]})
        token = f"login-{len(self.logins)}"
        self.logins.append(token)
        return self.say(200, {"auth": {"client_token": token, "lease_duration": 3600}})

    def do_GET(self) -> None:
        token, last = self.headers.get("x-vault-token"), self.path.rpartition("/")[2]
        self.asked.append(f"{self.path} {self.headers.get('x-vault-namespace')}")
        if self.path == "/told":
            return self.say(200, {"logins": len(self.logins), "asked": self.asked})
        if self.path == "/revoke":
            self.logins.append("revoked")
            return self.say(200, {})
        if token not in (TOKEN, self.logins[-1] if self.logins else None):
            return self.say(403, {"errors": ["permission denied"]})
        if not self.path.startswith("/v1/secret/data/wissel/"):
            return self.say(403, {"errors": ["permission denied"]})
        if last == "slow":
            time.sleep(10)
        if last in ODD:
            status, body, headers = ODD[last]
            return self.say(status, body, **headers)
        known = last in VALUES
        return self.say(200 if known else 404, {"data": {"data": VALUES[last]}} if known else {"errors": []})


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bao)
    server.daemon_threads = True
    made = Path(sys.argv[1])
    made.with_suffix(".new").write_text(str(server.server_port))
    made.with_suffix(".new").rename(made)
    server.serve_forever()
