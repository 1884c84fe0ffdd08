"""A mail server that keeps what it is sent: SMTP as far as a sender needs it."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Mailbox:
    url: str = ""
    letters: list[EmailMessage] = field(default_factory=list)

    def about(self, words: str) -> str:
        """What the newest letter with `words` in its subject says; empty without one."""
        found = [each for each in self.letters if words in str(each["subject"])]
        return found[-1].get_content() if found else ""


@contextmanager
def receiving() -> Iterator[Mailbox]:
    mailbox = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 mail.test")
            for line in self.rfile:
                match line[:4].upper().strip():
                    case b"DATA":
                        self._say("354 until a dot alone")
                        self._take()
                    case b"QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("250 well")

        def _take(self) -> None:
            lines = list(iter(self.rfile.readline, b".\r\n"))
            raw = b"".join(line.removeprefix(b".") for line in lines)
            mailbox.letters.append(message_from_bytes(raw, policy=policy.default))
            self._say("250 kept")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        mailbox.url = f"smtp://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
