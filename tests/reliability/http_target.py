"""A target over HTTP that keeps to the rules: it knows the keys of what it did, and refuses a lower fencing token."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    key: str
    token: int
    repeated: bool = False


@dataclass
class HttpTarget:
    """Effects by key, the highest token so far, and who was refused; unset `released` holds requests back."""

    address: str = "127.0.0.1"
    arrived: list[Asked] = field(default_factory=list)
    accepted: list[Asked] = field(default_factory=list)
    refused: list[Asked] = field(default_factory=list)
    highest: int = 0
    slow: float = 0.0
    """Seconds before a request counts, as the way to it has."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.released = threading.Event()
        self.released.set()
        self._server = ThreadingHTTPServer((self.address, 0), _handler(self))
        self._server.daemon_threads = True
        self.origin = f"http://{self.address}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def judge(self, key: str, token: int, gone: threading.Event) -> int:
        """What it answers; a request waits here first, as one does that is late on its way."""
        with self._lock:
            self.arrived.append(Asked(key, token))
            waits = self.released
        waits.wait(60)
        gone.wait(self.slow)
        with self._lock:
            if token < self.highest:
                self.refused.append(Asked(key, token))
                return 412
            self.highest = token
            known = any(each.key == key for each in self.accepted)
            self.accepted.append(Asked(key, token, repeated=known))
            return 200

    @property
    def done(self) -> list[str]:
        """The key of each effect, as often as it was made."""
        return [each.key for each in self.accepted if not each.repeated]

    def with_an_old_token(self) -> list[Asked]:
        """What was accepted although a higher token had been there before."""
        highest, found = 0, []
        for each in self.accepted:
            found += [each] if each.token < highest else []
            highest = max(highest, each.token)
        return found

    def end(self) -> None:
        """Let everything go and close."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(target: HttpTarget) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            key = self.headers["Idempotency-Key"].strip('"')
            status = target.judge(key, int(self.headers["X-Fencing-Token"]), threading.Event())
            try:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                pass  # who asked is gone

        def log_message(self, *_: object) -> None:
            """No lines on the test's output."""

    return Handler
