"""Looks whether something accepts connections at an address."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from runners.contract import Context, Frozen, Measurement, Outcome, Preview, Text, could_not_look, failed, passed
from runners.looking import Looking
from runners.origins import NotAnswered, UrlRefused, allowed_address, connect

MARGIN = 0.3
ONE_LOOK = 5.0
BETWEEN = 0.05


class CheckTcpParams(Frozen):
    """Opens a TCP connection and closes it.

    Proves: something accepts connections at this address, as seen from this worker.
    Cannot see: what it is, or whether it works; use `check.http`, `check.tls` or `check.sql` for that.
    Needs: the address on the site's list (`tcp`).
    Bad input: an address that is no ``host:port``, is not on the list or cannot be resolved is *could not look*;
    a connection that is refused, or not there in time, is *failed*.
    """

    address: str
    """``host:port``; an IPv6 address in square brackets."""
    within: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(0)
    """How long to go on trying."""


class CheckTcp(Looking):
    """``check.tcp``: a connection attempt, no more."""

    name = "check.tcp"
    Params = CheckTcpParams

    def preview(self, params: CheckTcpParams, context: Context) -> Preview:
        """The one connection."""
        return Preview(calls=(f"connect {params.address}",), changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckTcpParams, context: Context) -> Outcome:
        """Try until it is accepted, or the time is up."""
        until = time.monotonic() + min(params.within.total_seconds(), max(0.0, context.remaining() - MARGIN))
        while True:
            started = time.monotonic()
            try:
                wanted = allowed_address(params.address, context.policy.tcp)
                connect(wanted, min(ONE_LOOK, context.remaining() - MARGIN)).close()
            except UrlRefused as error:
                return could_not_look(f"Dit adres mag hier niet: {error}.", f"This address is refused: {error}.")
            except NotAnswered as error:
                if time.monotonic() >= until:
                    answer = failed if error.looked else could_not_look
                    return answer(f"Er neemt niets op: {error}.", f"Nothing accepts the connection: {error}.")
                time.sleep(BETWEEN)
                continue
            took = Measurement(name="connect_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms")
            nl, en = f"{params.address} neemt op.", f"{params.address} accepts connections."
            return passed(nl, en, took, effective_at=datetime.now(UTC))
