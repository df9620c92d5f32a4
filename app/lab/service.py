"""The permit desk: the small real HTTP service that the lab switches, and whose source lies in the escrow deposit.

It reads and writes its PostgreSQL, says which side it is, and is healthy only while it can write. It stands on the
standard library and psycopg alone, and imports nothing of ours, so that the deposit can hold it whole.

GET /health  200 while the database takes writes, else 503; header X-Wissel-Side
GET /version, GET /permits/count
POST /permits {"number": 7, "applicant": "…"}  201; 200 when that number was already there (a retry after a lost answer)
"""

import argparse
import json
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

VERSION = "1.4.2"
INSERT = "INSERT INTO permit (number, applicant) VALUES (%s, %s) ON CONFLICT (number) DO NOTHING"
MAX_BODY = 10_000
# A database that hangs must become a clean error before the client's own time-out.
CONNECT = {"connect_timeout": 2, "tcp_user_timeout": 1000, "options": "-c statement_timeout=1500"}


class Desk:
    """The desk's database: one kept connection for each thread, opened again as soon as it broke."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._kept = threading.local()

    def ask(self, sql: str, values: tuple[object, ...] = ()) -> psycopg.Cursor[Any]:
        """Run one statement; a kept connection that broke is opened anew once. Raises psycopg.Error."""
        connection = getattr(self._kept, "connection", None)
        if connection is not None:
            try:
                return connection.execute(sql, values)  # type: ignore[no-any-return]
            except psycopg.OperationalError:
                # Stopped or restarted meanwhile. All that we send may be repeated, so once more on a new connection.
                connection.close()
                self._kept.connection = None
        self._kept.connection = psycopg.connect(self.dsn, autocommit=True, **CONNECT)  # type: ignore[arg-type]
        return self._kept.connection.execute(sql, values)  # type: ignore[no-any-return]

    def writable(self) -> bool:
        """Whether the database answers and takes writes."""
        try:
            row = self.ask("SELECT NOT pg_is_in_recovery()").fetchone()
        except psycopg.Error:
            return False
        return bool(row and row[0])

    def add(self, number: int, applicant: str) -> bool:
        """Write a permit; False when that number was already there. Committed when this returns."""
        return self.ask(INSERT, (number, applicant)).rowcount == 1

    def count(self) -> int:
        """Number of permits."""
        row = self.ask("SELECT count(*) FROM permit").fetchone()
        return int(row[0]) if row else 0


class Handler(BaseHTTPRequestHandler):
    """Translates HTTP to the desk."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30
    desk: Desk
    side: str

    def do_GET(self) -> None:
        """Health, version and the number of permits."""
        match self.path:
            case "/health":
                writable = self.desk.writable()
                status = HTTPStatus.OK if writable else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, {"side": self.side, "writable": writable, "version": VERSION})
            case "/version":
                self._answer(HTTPStatus.OK, {"version": VERSION})
            case "/permits/count":
                self._from_database(lambda: (HTTPStatus.OK, {"count": self.desk.count()}))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, {"error": "no such page"})

    def do_POST(self) -> None:
        """File a permit under the number that the client gave."""
        permit = self._permit()
        if self.path != "/permits":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "no such page"})
        elif permit is None:
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"error": 'send {"number": N} with a positive whole number'})
        else:
            self._from_database(lambda: self._file(*permit))

    def _file(self, number: int, applicant: str) -> tuple[HTTPStatus, dict[str, object]]:
        new = self.desk.add(number, applicant)
        return (HTTPStatus.CREATED if new else HTTPStatus.OK), {"number": number, "new": new}

    def _permit(self) -> tuple[int, str] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            # Take most of it off the line, for a client that is still sending would miss the answer.
            self.rfile.read(min(int(length), 100 * MAX_BODY) if length.isdecimal() else 0)
            self.close_connection = True
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            return None
        number = body.get("number") if isinstance(body, dict) else None
        if type(number) is not int or not 0 < number < 2**63:
            return None
        return number, str(body.get("applicant", ""))

    def _from_database(self, use: Any) -> None:
        try:
            status, body = use()
        except psycopg.Error as error:
            status, body = HTTPStatus.SERVICE_UNAVAILABLE, {"error": type(error).__name__}
        self._answer(status, body)

    def _answer(self, status: HTTPStatus, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Wissel-Side", self.side)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line a request would be the largest file of the lab."""


class Server(ThreadingHTTPServer):
    """A thread a connection; those of clients that went away do not keep it from ending."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news; anything else is told as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(host: str, port: int, side: str, dsn: str) -> None:
    """Answer until SIGTERM or SIGINT."""
    handler = type("SideHandler", (Handler,), {"desk": Desk(dsn), "side": side})
    server = Server((host, port), handler)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()


def main() -> None:
    """Command line: python -m … --side primary --port 8080 --dsn-file FILE."""
    parser = argparse.ArgumentParser(description="The permit desk")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--side", default="primary")
    parser.add_argument(
        "--dsn-file", type=Path, help="file with the connection string; without it the desk cannot write"
    )
    options = parser.parse_args()
    dsn = options.dsn_file.read_text().strip() if options.dsn_file else ""
    serve(options.host, options.port, options.side, dsn)


if __name__ == "__main__":
    main()
