"""A small mail server as a process of its own: TLS from the start or by STARTTLS, a password, and refusals on demand.

``python mail_server.py FOLDER MODE`` prints its port. Each mail that it accepts becomes a file in FOLDER. What it says
to a recipient stands in FOLDER/answer (``250``, ``451``, ``550``); with ``die`` it ends after it took the mail, before
it says so. The certificate is FOLDER/server.pem.
"""

import base64
import os
import socket
import ssl
import sys
from pathlib import Path

USER, PASSWORD = "wissel", "canary-of-the-mail"


class Talk:
    """One connection."""

    def __init__(self, folder: Path, link: socket.socket, context: ssl.SSLContext | None, by_starttls: bool) -> None:
        self.folder, self.context, self.by_starttls, self.secure = folder, context, by_starttls, False
        if context is not None and not by_starttls:
            link, self.secure = context.wrap_socket(link, server_side=True), True
        self._use(link)

    def _use(self, link: socket.socket) -> None:
        self.link, self.file = link, link.makefile("rb")

    def say(self, text: str) -> None:
        self.link.sendall(f"{text}\r\n".encode())

    def serve(self) -> None:
        self.say("220 here")
        signed_in = False
        while line := self.file.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"EHLO":
                offers = ["STARTTLS"] if self.by_starttls and not self.secure else ["AUTH PLAIN"]
                self.say("250-here\r\n" + "\r\n".join(f"250 {each}" for each in offers))
            elif word == b"STARTTLS" and self.context is not None:
                self.say("220 go")
                self._use(self.context.wrap_socket(self.link, server_side=True))
                self.secure = True
            elif word == b"AUTH":
                given = base64.b64decode(line.split(b" ")[2]).decode().split("\0")[1:]
                signed_in = given == [USER, PASSWORD]
                self.say("235 welcome" if signed_in else "535 no")
            elif word == b"MAIL":
                self.say("250 fine" if signed_in or self.context is None else "530 sign in first")
            elif word == b"RCPT":
                answer = (self.folder / "answer").read_text().strip()
                self.say(f"{'250' if answer == 'die' else answer} told")
            elif word == b"DATA":
                self._data()
            elif word == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def _data(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.file.readline()) not in (b".\r\n", b""):
            lines.append(line)
        number = len(list(self.folder.glob("*.eml")))
        (self.folder / f"{number}.eml").write_bytes(b"".join(lines))
        if (self.folder / "answer").read_text().strip() == "die":
            (self.folder / "answer").write_text("250")
            self.link.shutdown(socket.SHUT_RDWR)
            return
        self.say("250 taken")


def main(folder: Path, mode: str) -> None:
    context = None
    if mode != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        link, _ = listener.accept()
        try:
            Talk(folder, link, context, mode == "starttls").serve()
        except OSError:
            pass
        finally:
            link.close()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main(Path(sys.argv[1]), sys.argv[2])
