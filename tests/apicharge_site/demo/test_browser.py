import pytest

from apicharge_site.demo.browser import Page

HTML = """
<form method="get" action="/search"><input name="q" value="x"></form>
<form method="post" action="change/">
  <input type="hidden" name="csrfmiddlewaretoken" value="token">
  <input name="amount" value="2.5"> <input type="checkbox" name="adjustable">
  <input type="checkbox" name="listed" checked> <input name="locked" value="1" disabled>
  <select name="asset"><option value="EURC">EURC<option value="USDC" selected>USDC</select>
  <select name="starts"><option value="purchase">now<option value="first_use">later</select>
  <textarea name="about">
Two
lines</textarea>
  <input type="submit" name="_save" value="Save"> <button name="_publish">Publish</button>
</form>
"""


def page() -> Page:
    return Page("http://site/admin/", 200, HTML)


def test_form_has_what_a_browser_would_send() -> None:
    form = page().form("amount")
    assert (form.action, form.method) == ("change/", "post")
    assert form.fields == {
        "csrfmiddlewaretoken": ["token"],
        "amount": ["2.5"],
        "listed": ["on"],
        "asset": ["USDC"],
        "starts": ["purchase"],
        "about": ["Two\nlines"],
    }
    assert form.buttons == {"_save": "Save", "_publish": ""}


def test_page_without_the_field_says_so() -> None:
    with pytest.raises(LookupError, match="no form with price"):
        page().form("price")
