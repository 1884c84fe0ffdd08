"""WebSockets on a served process: the gate's own, and nothing else."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.apicharge_site.conftest import Site


@pytest.mark.parametrize(
    ("path", "status"), [("/gate/files/a", 402), ("/admin/", 404), ("/a", 404)]
)
def test_handshake_is_answered_where_it_belongs(site: Site, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws{site.origin[4:]}{path}", proxy=None):
        pass
    assert refused.value.response.status_code == status
