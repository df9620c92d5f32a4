"""A driver that tells its secret in every way it can think of, as careless programs do."""

import base64
import html
import json
import os
import subprocess
import sys
from typing import Any, ClassVar
from urllib.parse import quote

from runners.contract import (
    Context,
    Effect,
    Evidence,
    Frozen,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    SecretRef,
    Seen,
    Text,
    failed,
)


def ways(secret: str) -> list[str]:
    """The secret as it may be written."""
    raw = secret.encode()
    return [
        secret,
        *(base64.b64encode(b"x" * shift + raw + b"!").decode() for shift in range(3)),
        base64.urlsafe_b64encode(b"u:" + raw).decode(),
        quote(secret, safe=""),
        "".join(f"%{byte:02x}" for byte in raw),
        "".join(f"%{byte:02X}" for byte in raw),
        json.dumps({"it": secret}),
        "".join(f"\\u{ord(c):04x}" for c in secret),
        "".join(f"\\u{ord(c):04X}" for c in secret),
        html.escape(secret),
        raw.hex(),
        raw.hex().upper(),
        raw.hex(":"),
        f"host=db password={secret}",
        f"https://me:{secret}@host/",
    ]


class LeakParams(Frozen):
    """What to tell, and how it ends."""

    secret: SecretRef
    end: str = "failed"


class Leak(Runner):
    """``leaky.tell``: it only looks."""

    name = "leaky.tell"
    Params: ClassVar[Any] = LeakParams
    effect = Effect.OBSERVES
    repeat = Repeat.KEYED

    def preview(self, params: LeakParams, context: Context) -> Preview:
        return Preview(calls=(f"tell {params.secret}",), changes=Text(nl="niets", en="nothing"))

    def observe(self, params: LeakParams, context: Context) -> Observation:
        return Observation(seen=Seen.NOT_DONE, reason=Text(nl="nee", en="no"))

    def run(self, params: LeakParams, context: Context) -> Outcome:
        secret = context.secret(params.secret)
        half = len(secret) // 2
        for each in ways(secret):
            context.log(f"<{each}>")
            print(each)
        sys.stdout.write(secret[:half])
        sys.stdout.write(secret[half:] + "\n")
        print(secret[:half])
        print(secret[half:])
        os.write(1, secret.encode())  # past everything that Python would look through
        subprocess.run(["/bin/echo", "no secret among my arguments"], check=True)
        context.progress(1, 2, f"now {secret}")
        (context.evidence / "all.txt").write_text("\n".join(ways(secret)))
        binary = b"\x00\xff" + secret.encode("utf-16-le") + b"\x00" + "\n".join(ways(secret)).encode() + b"\xfe"
        (context.evidence / "all.bin").write_bytes(binary)
        (context.evidence / f"dump-{secret}.txt").write_text(secret)
        if params.end == "raise":
            raise ValueError(f"login with {secret} failed")
        return failed(
            f"fout {secret}",
            f"error {base64.b64encode(secret.encode()).decode()}",
            Measurement(name="m", value=secret),
            Measurement(name=f"n {secret}", value=json.dumps(secret)),
            evidence=(
                Evidence(path="all.txt", title=f"All of {secret}"),
                Evidence(path="all.bin", media_type="application/octet-stream"),
                Evidence(path=f"dump-{secret}.txt"),
            ),
        )
