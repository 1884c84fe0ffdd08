"""The demo's provider at work in the admin: logs in, opens a price, changes it, publishes it."""

import re
from html import unescape

from apicharge_site.demo.browser import Browser, Page
from apicharge_site.demo.seeding import Login

PRICES = "/admin/marketplace/routequote/"


def change_price(
    browser: Browser, login: Login, offer: str, *, found_by: str, **fields: str
) -> Page:
    """Edit the price on sale named `offer` that a search for `found_by` lists, and publish it."""
    page = browser.log_in(login.name, login.password)
    if "/login" in page.url:
        raise LookupError(f"The admin did not let {login.name} in.")
    listed = browser.open(f"{PRICES}?q={found_by}&state__exact=published")
    links = re.findall(rf'href="({PRICES}\d+/change/[^"]*)"[^>]*>([^<]*)</a>', listed.html)
    chosen = next((link for link, name in links if unescape(name) == offer), None)
    if chosen is None:
        raise LookupError(f"{listed.url} does not list {offer}.")
    page = browser.open(unescape(chosen))
    saved = browser.submit(page, page.form("price"), button="_publish", **fields)
    if "is on sale" not in saved.html:
        raise LookupError(f"{saved.url} ({saved.status}) does not say that the price is on sale.")
    return saved
