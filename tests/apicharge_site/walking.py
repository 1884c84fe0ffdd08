"""A browser that walks through an opened market, and what it complains of.

walk.visit(page, "/problems/")
assert walk.faults == []
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request

from tests import browsers
from tests.marketplace import shop
from tests.servers import RunningServer, running_files, start_server

PATIENCE_MS = 60_000
LOOKS_MAX, LOOK_AGAIN_MS = 5, 500
FITS = "document.documentElement.scrollWidth <= innerWidth"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPEN = "import json; from tests.apicharge_site import market; "
OPEN += "print(json.dumps(market.open_market({files!r})))"
LOOK = """(only) => axe.run(document, {
  runOnly: only, resultTypes: ["violations"], elementRef: false
}).then((found) => found.violations.flatMap((one) => one.nodes.map((node) =>
  `${one.id} (${one.impact}) at ${node.target}: ${node.failureSummary}`)))"""
MOVED = """window.moved = []; new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput)
    window.moved.push(`${one.value.toFixed(4)} ${[...one.sources].map((source) =>
      source.node?.className || source.node?.nodeName)}`);
}).observe({ type: "layout-shift", buffered: true });"""
FOCUSABLE = """() => {
  const names = new Set();
  window.left = new Set([...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]"
  )].filter((one) => {
    if (one.disabled || one.tabIndex < 0 || !one.checkVisibility()) return false;
    if (one.type !== "radio") return true;
    const group = `${one.form?.id} ${one.name}`;
    return !names.has(group) && names.add(group);
  }));
  window.unseen = [];
  addEventListener("focusin", ({ target }) => {
    for (const one of window.left) if (one === target ||
      (one.type === "radio" && one.name === target.name)) window.left.delete(one);
    const style = getComputedStyle(target);
    const around = target.matches("input[type=radio].sr") || style.boxShadow.includes("rgb");
    const whole = getComputedStyle(target, "::after").outlineStyle !== "none";
    if (style.outlineStyle === "none" && !around && !whole) window.unseen.push(target.outerHTML);
  });
  return window.left.size;
}"""


@dataclass
class Walk:
    server: RunningServer
    browser: Browser
    market: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    axe: str = field(default_factory=lambda: str(Axe().axe_script))

    def page(self, who: str = "visitor", screen: dict[str, int] = WIDE) -> Page:
        """Whoever it is keeps to the same page, so that what they have fetched is cached."""
        context = self.browser.new_context(
            viewport=screen,  # type: ignore[arg-type] # two whole numbers
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(MOVED)
        if key := self.market["sessions"].get(who):
            context.add_cookies([{"name": "sessionid", "value": key, "url": self.server.origin}])
        context.on("request", self._asks)
        context.on("console", self._says)
        context.on("weberror", lambda raised: self.faults.append(f"raised {raised.error}"))
        return context.new_page()

    def _asks(self, request: Request) -> None:
        asked = urlsplit(request.url)
        own = urlsplit(self.server.origin).netloc
        if asked.scheme in {"http", "https", "ws", "wss"} and asked.netloc != own:
            self.faults.append(f"asks elsewhere: {request.url}")

    def _says(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            place = urlsplit(said.location["url"]).path if said.location else ""
            self.faults.append(f"console: {said.text} ({place})")

    def go(self, page: Page, address: str) -> None:
        page.goto(f"{self.server.origin}{address}")

    def visit(self, page: Page, address: str, *, dark: bool = False, phone: bool = False) -> None:
        """In the light, then what a dark scheme or a narrow screen may change."""
        known = len(self.faults)
        self.go(page, address)
        page.evaluate(self.axe)
        self.look(page, {"type": "tag", "values": RULES})
        if dark:
            page.emulate_media(color_scheme="dark")
            self.look(page, {"type": "rule", "values": ["color-contrast"]})
            page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        try:  # Charts are drawn anew.
            page.wait_for_function(FITS, timeout=LOOKS_MAX * LOOK_AGAIN_MS)
        except Error:
            self.faults.append("is wider than a telephone")
        if phone:
            self.look(page, {"type": "rule", "values": ["color-contrast", "target-size"]})
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        self.faults[known:] = [f"{address} {fault}" for fault in self.faults[known:]]

    def look(self, page: Page, only: dict[str, Any]) -> None:
        """What a script mends while it draws is no fault: it is looked at again."""
        found: list[str] = []
        for _ in range(LOOKS_MAX):
            if not (found := page.evaluate(LOOK, only)):
                return
            page.wait_for_timeout(LOOK_AGAIN_MS)
        self.faults += found

    def tab_through(self, page: Page, *, seen: bool = True) -> None:
        """Every link, button and field comes to whoever has a keyboard alone, and says so."""
        address = urlsplit(page.url).path
        count = page.evaluate(FOCUSABLE)
        for _ in range(2 * count + 10):
            page.keyboard.press("Tab")
            if not page.evaluate("window.left.size"):
                break
        left = page.evaluate("[...window.left].map((one) => one.outerHTML.slice(0, 160))")
        self.faults += [f"{address} never comes to {one}" for one in left]
        unseen = page.evaluate("window.unseen.map((one) => one.slice(0, 160))") if seen else []
        self.faults += [f"{address} does not show that it is at {one}" for one in unseen]

    def assert_clean(self, but: str = "\0") -> None:
        """Whatever was found, each at its address."""
        faults = [fault for fault in self.faults if but not in fault]
        if faults:
            pytest.fail("\n".join(dict.fromkeys(faults)), pytrace=False)


@contextmanager
def walked(home: Path) -> Iterator[Walk]:
    """Nothing moves there: a console alone, without the workers that look after purchases."""
    with (
        browsers.launched() as browser,
        running_files(home) as files,
        start_server(home, role="console") as server,
    ):
        server.sandbox.fund(shop.account("Meteo Alba"), "USDC")
        said = server.python(OPEN.format(files=files))
        yield Walk(server, browser, json.loads(said.splitlines()[-1]))
