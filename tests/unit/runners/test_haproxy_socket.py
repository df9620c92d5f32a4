"""switch.haproxy against sockets that misbehave: it says so, soon, and never claims a move."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runners.contract import EnvironmentPair, Node, Outcome, Proxy, Seen, Side, Verdict
from runners.postgres.cut_off import CutOff, CutOffParams
from runners.switch.haproxy import Haproxy, HaproxyParams
from tests.unit.runners.fake_context import FakeContext

HEADER = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n"
BEFORE = HEADER + "3 db 1 one 127.0.0.1 2 0\n3 db 2 two 127.0.0.1 0 5\n\n"
AFTER = HEADER + "3 db 1 one 127.0.0.1 0 1\n3 db 2 two 127.0.0.1 2 4\n\n"
DOWN = HEADER + "3 db 1 one 127.0.0.1 0 1\n3 db 2 two 127.0.0.1 0 0\n\n"
OLD_DRAINS = HEADER + "3 db 1 one 127.0.0.1 2 8\n3 db 2 two 127.0.0.1 2 0\n\n"
NEW_DRAINS = HEADER + "3 db 1 one 127.0.0.1 0 1\n3 db 2 two 127.0.0.1 2 8\n\n"
Answer = Callable[[str], str]


class FakeSocket:
    """Answers each line as a runtime socket does: one command a connection."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.asked: list[str] = []
        self._answer, self._server = answer, socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._server.accept()
                with link:
                    line = link.recv(4096).decode().strip()
                    self.asked.append(line)
                    link.sendall(self._answer(line).encode())

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Answer], FakeSocket]]:
    made: list[FakeSocket] = []

    def start(answer: Answer) -> FakeSocket:
        made.append(FakeSocket(tmp_path / "sock", answer))
        return made[-1]

    yield start
    for each in made:
        each.close()


def _params(folder: Path, to: Side = Side.FALLBACK, proxy: bool = True) -> HaproxyParams:
    steered = Proxy(socket=str(folder / "sock"), backend="db", primary="one", fallback="two")
    nodes = {"primary": Node(site="a"), "fallback": Node(site="b")}
    return HaproxyParams(pair=EnvironmentPair(name="p", **nodes, proxy=steered if proxy else None), to=to)


def test_the_old_side_is_taken_out_before_the_new_one_comes_in(context: FakeContext, serve, tmp_path: Path) -> None:
    moved: list[str] = []

    def answer(line: str) -> str:
        if line.startswith("set server"):
            moved.append(line)
        if not line.startswith("show"):
            return "\n"
        return AFTER if moved else BEFORE

    fake = serve(answer)
    assert Haproxy().run(_params(tmp_path), context).verdict is Verdict.PASSED
    raised = next(line for line in fake.asked if "set var proc.wissel_token_db" in line)
    assert "var(proc.wissel_token_db,0),sub(8)" in raised
    assert moved == [
        "set server db/one state maint; set server db/two state ready; shutdown sessions server db/one",
    ]


@pytest.mark.parametrize(("known", "verdict"), [(6, Verdict.PASSED), (7, Verdict.PASSED), (8, Verdict.FAILED)])
def test_a_lower_token_than_haproxy_holds_moves_nobody(
    context: FakeContext, serve, tmp_path: Path, known: int, verdict: Verdict
) -> None:
    moved: list[str] = []

    def answer(line: str) -> str:
        if "get var" in line:
            return f"proc.wissel_token_db: type=sint value=<{known}>\n"
        moved.extend([line] if line.startswith("set server") else [])
        return "\n" if not line.startswith("show") else AFTER if moved else BEFORE

    serve(answer)
    outcome = Haproxy().run(_params(tmp_path), context)
    assert (outcome.verdict, bool(moved)) == (verdict, verdict is Verdict.PASSED)
    assert verdict is Verdict.PASSED or f"token {known}, this step has 7" in outcome.reason.en


@pytest.mark.parametrize("call", [CutOff().run, CutOff().undo])
def test_a_lower_token_than_haproxy_holds_shuts_and_opens_no_way(
    context: FakeContext, serve, tmp_path: Path, call: Callable[..., Outcome]
) -> None:
    fake = serve(lambda line: "proc.wissel_token_db: type=sint value=<8>\n" if "get var" in line else BEFORE)
    outcome = call(CutOffParams(pair=_params(tmp_path).pair, node=Side.PRIMARY), context)
    assert (outcome.verdict, "token 8, this step has 7" in outcome.reason.en) == (Verdict.FAILED, True)
    assert not [line for line in fake.asked if "set server" in line]


def test_an_order_that_crossed_with_one_of_a_newer_token_is_failed_with_that_reason(
    context: FakeContext, serve, tmp_path: Path
) -> None:
    moved: list[str] = []

    def answer(line: str) -> str:
        moved.extend([line] if line.startswith("set server") else [])
        if "get var" in line:
            return f"proc.wissel_token_db: type=sint value=<{8 if moved else 7}>\n"
        return "\n" if not line.startswith("show") else AFTER if moved else BEFORE

    serve(answer)
    outcome = Haproxy().run(_params(tmp_path), context)
    assert outcome.verdict is Verdict.FAILED
    assert "newer principal (token 8, this step has 7)" in outcome.reason.en
    assert "went out all the same" in outcome.reason.en
    assert len(moved) == 1, "nothing is taken back"


@pytest.mark.parametrize(
    "said",
    ["Permission denied\n", "No such backend.\n", "", "1\n# be_id srv_name\n3 one\n", "\x00\xff garbage"],
    ids=repr,
)
def test_an_answer_that_does_not_fit_moves_nobody(context: FakeContext, serve, tmp_path: Path, said: str) -> None:
    fake = serve(lambda _: said)
    outcome = Haproxy().run(_params(tmp_path), context.give(3))
    assert outcome.verdict is Verdict.FAILED
    assert all(line.startswith("show") for line in fake.asked)
    assert Haproxy().observe(_params(tmp_path), context).seen is Seen.UNKNOWN


def test_a_socket_without_admin_rights_is_named(context: FakeContext, serve, tmp_path: Path) -> None:
    serve(lambda line: BEFORE if line.startswith("show") else "Permission denied\n")
    outcome = Haproxy().run(_params(tmp_path), context)
    assert outcome.verdict is Verdict.FAILED
    assert "Permission denied" in outcome.reason.en


def test_a_server_that_haproxy_finds_down_is_not_a_success(context: FakeContext, serve, tmp_path: Path) -> None:
    serve(lambda line: DOWN if line.startswith("show") else "")
    outcome = Haproxy().run(_params(tmp_path), context.give(0.6))
    assert outcome.verdict is Verdict.FAILED
    assert "no working service" in outcome.reason.en


@pytest.mark.parametrize("state", [OLD_DRAINS, NEW_DRAINS])
def test_a_draining_server_is_neither_in_nor_out(context: FakeContext, serve, tmp_path: Path, state: str) -> None:
    serve(lambda _: state)
    assert Haproxy().observe(_params(tmp_path), context).seen is Seen.NOT_DONE


def test_a_socket_that_never_answers_ends_in_time(context: FakeContext, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "sock"))
        silent.listen()
        started = time.monotonic()
        outcome = Haproxy().run(_params(tmp_path), context.give(1))
        assert time.monotonic() - started < 1.2
        assert outcome.verdict is Verdict.FAILED


def test_an_environment_without_a_proxy_says_so(context: FakeContext, tmp_path: Path) -> None:
    params = _params(tmp_path, proxy=False)
    assert Haproxy().run(params, context).verdict is Verdict.FAILED
    assert Haproxy().observe(params, context).seen is Seen.UNKNOWN
    assert Haproxy().preview(params, context).calls == ()
