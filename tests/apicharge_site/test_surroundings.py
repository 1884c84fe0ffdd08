"""The sockets of `manage.py run`, which the server inherits."""

import socket
from pathlib import Path

from apicharge_site.management.commands.serve import _inherited
from apicharge_site.surroundings import HOST, Surroundings
from gateway.listening import NOTSENT_LOWAT_BYTES


def unsent_bytes_max(bound: socket.socket) -> int:
    """Of a connection that `bound` accepted."""
    bound.setblocking(True)
    with socket.create_connection(bound.getsockname()), bound.accept()[0] as accepted:
        return accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)


def test_connections_of_a_run_hold_little_unsent(tmp_path: Path) -> None:
    with Surroundings(tmp_path / "state", tmp_path) as surroundings:
        assert unsent_bytes_max(surroundings.listen(0, "PORT")) == NOTSENT_LOWAT_BYTES


def test_connections_of_an_inherited_socket_do_too() -> None:
    with socket.create_server((HOST, 0)) as bound, _inherited(bound.fileno()) as inherited:
        assert unsent_bytes_max(inherited) == NOTSENT_LOWAT_BYTES
        inherited.detach()
