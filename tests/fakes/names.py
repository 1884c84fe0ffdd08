"""A name server on the loopback: DNS over UDP as far as a resolver's client needs it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

TTL = 60
LONGEST_STRING = 255  # Of a TXT record, which may have several.


@dataclass
class Names:
    """`texts` by name; a name in `silent` is never answered, one in `failing` by a failure."""

    port: int = 0
    texts: dict[str, list[str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype)))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.texts:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self.texts[name]:
            quoted = [" ".join(f'"{part}"' for part in parts(text)) for text in records]
            response.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "TXT", *quoted))
        return response.to_wire()


def parts(text: str) -> list[str]:
    return [text[at : at + LONGEST_STRING] for at in range(0, len(text), LONGEST_STRING)] or [""]


@contextmanager
def answering() -> Iterator[Names]:
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        names.port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                wire, client = listening.recvfrom(4_096)
                if not wire:
                    return
                if (said := names.answer(wire)) is not None:
                    listening.sendto(said, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield names
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", names.port))
        thread.join()
