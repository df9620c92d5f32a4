"""What the client's log says: the outage is the largest gap, lost is what was acknowledged and is not there."""

import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.lab import writer

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def log_of(*milliseconds: int) -> list[writer.Acknowledged]:
    moments = [START + timedelta(milliseconds=ms) for ms in milliseconds]
    return [
        writer.Acknowledged(number, moment, moment, ms * 1_000_000)
        for number, (moment, ms) in enumerate(zip(moments, milliseconds, strict=True), 1)
    ]


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize(
    ("milliseconds", "window", "gap"),
    [
        pytest.param((0, 20, 40, 60), (0, 60), 20, id="a steady client sees its own rhythm"),
        pytest.param((0, 20, 320, 340), (0, 340), 300, id="the largest gap counts"),
        pytest.param((0, 900, 920, 940), (910, 940), 20, id="a gap before the window does not count"),
        pytest.param((0, 20, 40, 900), (0, 30), 20, id="nor one after it"),
        pytest.param((0, 20, 400, 420), (100, 420), 380, id="one that began before the window counts whole"),
        pytest.param((0, 20, 400, 420), (0, 200), 380, id="and so does one that ends after it"),
        pytest.param((0, 500), (200, 300), 500, id="no acknowledgement in the window at all"),
        pytest.param((0,), (0, 100), None, id="one acknowledgement tells nothing"),
        pytest.param((), (0, 100), None, id="an empty log tells nothing"),
    ],
)
def test_the_outage_is_the_largest_gap_that_touches_the_window(milliseconds, window, gap):
    assert writer.outage_ms(log_of(*milliseconds), at(window[0]), at(window[1])) == gap


def test_a_clock_that_was_set_back_does_not_change_the_outage():
    first, second = log_of(0, 250)
    earlier = writer.Acknowledged(2, second.sent_at, START + timedelta(milliseconds=1), second.ticks)
    assert writer.outage_ms([first, earlier], at(0), at(300)) == 250


def test_only_acknowledgements_within_the_window_are_counted():
    assert writer.acknowledged(log_of(0, 10, 20, 30), at(10), at(20)) == 2


def test_a_number_that_was_acknowledged_and_is_not_there_is_lost():
    assert writer.lost(log_of(0, 10, 20), {1, 3, 99}) == {2}


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    line = f"100001 {START.isoformat()} {START.isoformat()} 5\n"
    (tmp_path / "log").write_text(line + "100002 2026-03")
    assert [one.number for one in writer.read(tmp_path / "log")] == [100001]


class Desk(BaseHTTPRequestHandler):
    """Refuses, hangs up or forgets to answer now and then, as a service does while it is switched."""

    protocol_version = "HTTP/1.1"
    asked: list[int] = []
    kept: set[int] = set()

    def do_POST(self):
        number = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["number"]
        turn = len(self.asked)
        self.asked.append(number)
        if turn % 7 == 3:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        new = number not in self.kept
        self.kept.add(number)
        if turn % 11 == 5:
            self.close_connection = True
            return  # written, and the answer got lost
        self.send_response(201 if new else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Nothing."""


def test_every_write_is_repeated_until_it_is_acknowledged_and_none_is_skipped(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = writer.Writer(f"127.0.0.1:{server.server_port}", tmp_path / "log", rate=500)
    running = threading.Thread(target=client.run)
    running.start()
    while len(writer.read(tmp_path / "log")) < 60:
        with contextlib.suppress(TimeoutError):
            running.join(0.01)
    client.stop()
    running.join()
    server.shutdown()
    server.server_close()
    numbers = [one.number for one in writer.read(tmp_path / "log")]
    assert numbers == list(range(writer.FIRST, client.next_number))
    assert set(numbers) == Desk.kept
    assert len(Desk.asked) > len(numbers)
