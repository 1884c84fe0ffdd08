"""Who sells what there."""

from typing import Any

HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400
MEGA, GIGA = 1_000_000, 1_000_000_000


def calls(count: int, window: int | None = None) -> dict[str, Any]:
    return {"kind": "calls", "count": count, "window_seconds": window}


def data(count: int, direction: str = "down") -> dict[str, Any]:
    return {"kind": "data", "direction": direction, "bytes": count}


def rate(count: int) -> dict[str, Any]:
    return {"kind": "rate", "count": count, "window_seconds": 1, "burst": None}


def credited(count: int, most: int = 500) -> dict[str, Any]:
    return {
        "kind": "credits", "credits": count, "per_call": 10, "max_per_call": most, "per_unit": None
    }  # fmt: skip


PROVIDERS: dict[str, tuple[str, str, str]] = {
    "northwind": (
        "Northwind Nodes",
        "northwind.example",
        "Runs Stellar nodes in *three regions* since 2019. Status and incidents are public.",
    ),
    "alba": ("Meteo Alba", "meteo-alba.example", "Forecasts from a small office in the Alps."),
    "lumen": ("Lumen Labs", "", "Small language models that run where your data is."),
    "cartwright": ("Cartwright Maps", "cartwright.example", "Maps, addresses and ways, weekly."),
    "ledgerline": ("Ledgerline", "", "Reference data for people who keep books."),
}
RPC = """The full method set of `stellar-rpc`, served from three regions behind one address.

## What you can call

- `getHealth`, `getNetwork`, `getLatestLedger`
- `simulateTransaction`, `sendTransaction`, `getTransaction`
- `getEvents` with up to **seven days** of history

Unmodified Stellar SDKs work: give `SorobanServer` the address below and the token as a header.

| Region | Median latency |
|---|---|
| Frankfurt | 18 ms |
| Singapore | 31 ms |

> Ledger data is public. You pay for the machine that answers, not for the data.
"""
FORECAST = """Hourly values of **temperature, wind, rain and cloud** for any point on Earth.

Runs of ICON, GFS and AROME are blended by what each got right in the last thirty days. `GET
/v1/forecast?lat=46.5&lon=7.9` answers in JSON; add `&format=csv` for a sheet.
"""
# Slug, provider, category, name, tagline, description, protocols, routes: slug, name, path,
# methods, prices: name, amount, asset, seconds, limits.
Route = tuple[str, str, str, list[str], list[tuple[str, int, str, int, list[dict[str, Any]]]]]
Ware = tuple[str, str, str, str, str, str, list[str], list[Route]]
WARES: list[Ware] = [
    (
        "forecast",
        "alba",
        "Weather and climate",
        "Forecast",
        "Hourly forecasts for any point on Earth, ten days ahead, four runs a day.",
        FORECAST,
        ["rest"],
        [
            (
                "point",
                "By point",
                "/v1/forecast",
                ["GET"],
                [
                    ("Trial", 0, "USDC", 900, [calls(50)]),
                    ("Hour pass", 1_000_000, "USDC", HOUR, [calls(500), rate(10)]),
                    ("Day pass", 9_000_000, "USDC", DAY, [calls(10_000), rate(20)]),
                    ("Week pass", 45_000_000, "USDC", WEEK, [calls(80_000), rate(50)]),
                ],
            ),
            (
                "radar",
                "Radar tiles",
                "/v1/radar",
                ["GET"],
                [("Radar day", 25_000_000, "EURC", DAY, [data(5 * GIGA)])],
            ),
        ],
    ),
    (
        "stellar-rpc",
        "northwind",
        "Blockchain",
        "Stellar RPC",
        "Soroban RPC without an account: ledgers, events, simulation and submission.",
        RPC,
        ["rest"],
        [
            (
                "rpc",
                "JSON-RPC",
                "/",
                ["POST"],
                [
                    ("Trial", 0, "USDC", 900, [calls(50)]),
                    ("Hour pass", 2_500_000, "USDC", HOUR, [calls(1_000)]),
                    ("Day pass", 20_000_000, "USDC", DAY, [calls(50_000), calls(5_000, HOUR)]),
                    ("Month", 450_000_000, "EURC", 30 * DAY, [calls(100_000, DAY)]),
                ],
            ),
            (
                "archive",
                "History archive",
                "/archive",
                ["GET", "HEAD"],
                [("Archive day", 50_000_000, "USDC", DAY, [data(20 * GIGA)])],
            ),
        ],
    ),
]


def _small(
    slug: str,
    by: str,
    category: str,
    name: str,
    tagline: str,
    speaks: str,
    *prices: tuple[str, int, str, int, list[dict[str, Any]]],
) -> Ware:
    route: Route = (slug.rsplit("-", maxsplit=1)[-1], name, "/v1", ["GET", "POST"], list(prices))
    return (slug, by, category, name, tagline, tagline, [speaks], [route])


WARES += [
    _small(
        "small-talk",
        "lumen",
        "AI models",
        "Small talk",
        "A compact chat model behind an OpenAI-compatible interface, billed for what it answered.",
        "openai",
        ("Trial", 0, "USDC", 600, [calls(5)]),
        ("Credits", 50_000_000, "USDC", DAY, [credited(100_000)]),
    ),
    _small(
        "transcripts",
        "lumen",
        "AI models",
        "Transcripts",
        "Speech to text in forty languages, streamed while you speak.",
        "websocket",
        ("Hour", 15_000_000, "USDC", HOUR, [data(500 * MEGA, "up")]),
    ),
    _small(
        "embeddings",
        "lumen",
        "AI models",
        "Embeddings",
        "Sentence vectors of 768 dimensions, a thousand sentences a call.",
        "rest",
        ("Day", 12_000_000, "USDC", DAY, [calls(20_000)]),
    ),
    _small(
        "tiles",
        "cartwright",
        "Maps and places",
        "Vector tiles",
        "Vector tiles of the whole planet from OpenStreetMap, fresh every week.",
        "rest",
        ("Day", 5_000_000, "USDC", DAY, [calls(250_000)]),
    ),
    _small(
        "geocoder",
        "cartwright",
        "Maps and places",
        "Geocoder",
        "Addresses to coordinates and back, with how sure it is of each part.",
        "rest",
        ("Trial", 0, "USDC", 900, [calls(25)]),
        ("Day", 8_000_000, "USDC", DAY, [calls(5_000)]),
    ),
    _small(
        "rates",
        "ledgerline",
        "Finance",
        "Exchange rates",
        "Reference rates of thirty central banks since 1999, on the minute they appear.",
        "rest",
        ("Month", 30_000_000, "EURC", 30 * DAY, [calls(10_000, DAY)]),
    ),
    _small(
        "filings",
        "ledgerline",
        "Finance",
        "Company filings",
        "Annual accounts of four million European companies as tables, not as scans.",
        "rest",
        ("Hundred filings", 40_000_000, "EURC", WEEK, [calls(100)]),
    ),
    _small(
        "lightning",
        "alba",
        "Weather and climate",
        "Lightning",
        "Strikes within seconds of the flash, as a stream or by box and hour.",
        "sse",
        ("Trial", 0, "USDC", 600, [calls(5)]),
        ("Day", 6_000_000, "USDC", DAY, [data(300 * MEGA)]),
    ),
    _small(
        "translations",
        "lumen",
        "AI models",
        "Translations",
        "Ninety languages, with the tone you ask for and the terms you bring.",
        "rest",
        ("Credits", 20_000_000, "USDC", WEEK, [credited(50_000)]),
    ),
    _small(
        "isochrones",
        "cartwright",
        "Maps and places",
        "Isochrones",
        "How far one comes in so many minutes, on foot, by bicycle, by train.",
        "rest",
        ("Day", 10_000_000, "USDC", DAY, [calls(2_000)]),
    ),
    _small(
        "events",
        "northwind",
        "Blockchain",
        "Contract events",
        "Every Soroban event as a socket message, with a week to catch up.",
        "websocket",
        ("Day", 15_000_000, "USDC", DAY, [data(GIGA)]),
    ),
    _small(
        "horizon",
        "northwind",
        "Blockchain",
        "Horizon",
        "Accounts, offers and trades of the whole ledger history, paged and streamed.",
        "sse",
        ("Trial", 0, "USDC", 900, [calls(50)]),
        ("Hour pass", 2_000_000, "USDC", HOUR, [calls(2_000)]),
    ),
    _small(
        "holidays",
        "ledgerline",
        "Finance",
        "Bank holidays",
        "When banks and exchanges of sixty countries are closed, ten years ahead.",
        "rest",
        ("Year", 90_000_000, "EURC", 365 * DAY, [calls(1_000, DAY)]),
    ),
    _small(
        "ticks",
        "ledgerline",
        "Finance",
        "Order book stream",
        "Trades and depth of the Stellar order book as an event stream, to the ledger.",
        "sse",
        ("Hour", 3_000_000, "USDC", HOUR, [data(200 * MEGA)]),
    ),
]
FEATURED = ["forecast", "stellar-rpc", "small-talk"]
REVIEWS = [
    (
        5,
        "Down to the ledger what it says. We moved our indexer over in an afternoon.",
        "Thank you!",
    ),
    (4, "Fast and steady; the archive could be easier to find.", ""),
    (5, "No account, no sales call. I paid for an hour and was done in twenty minutes.", ""),
    (
        3,
        "Good data, but the hourly limit of the day pass caught us by surprise.",
        "It is said beside the price now, and the console warns at 80 %.",
    ),
]
NOTES = [
    ("Events are kept for seven days", "They were kept for one. Nothing changes for callers."),
    ("A third region: Singapore", "Calls go to the nearest by themselves."),
]
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Forecast", "version": "2.3.0"},
    "paths": {
        "/v1/forecast": {
            "get": {
                "summary": "The forecast for a point",
                "parameters": [
                    {"name": name, "in": "query", "required": True, "schema": {"type": "number"}}
                    for name in ("lat", "lon")
                ],
                "responses": {"200": {"description": "Hour by hour"}},
            }
        },
        "/v1/radar/{tile}": {
            "get": {
                "summary": "A radar tile",
                "parameters": [
                    {"name": "tile", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "The tile"}},
            }
        },
    },
}
