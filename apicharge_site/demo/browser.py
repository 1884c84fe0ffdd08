"""As much of a browser as the admin needs: cookies, redirects, forms sent as they stand."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    """Every form of a page with the values that a browser would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = self._textarea = ""
        self._text: list[str] = []
        self._options: list[tuple[bool, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and tag in {"input", "button"}:
            self._control(tag, given)
        elif tag == "select":
            self._select, self._options = given.get("name", ""), []
        elif tag == "option":
            self._options.append(("selected" in given, given.get("value", "")))
        elif tag == "textarea":
            self._textarea, self._text = given.get("name", ""), []

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            # With nothing selected a browser sends the first option.
            chosen = [value for selected, value in self._options if selected]
            for value in chosen or [value for _, value in self._options[:1]]:
                self._add(self._select, value)
        elif tag == "textarea" and self._textarea:
            # HTML drops one line break after the opening tag; browsers send CRLF.
            self._add(self._textarea, "".join(self._text).removeprefix("\n"))
            self._textarea = ""

    def _control(self, tag: str, given: dict[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "submit" if tag == "button" else "")
        if not name or "disabled" in given:
            return
        if kind in {"submit", "image"}:
            self.forms[-1].buttons[name] = given.get("value", "")
        elif kind not in {"checkbox", "radio"} or "checked" in given:
            self._add(name, given.get("value", "on" if kind == "checkbox" else ""))

    def _add(self, name: str, value: str) -> None:
        if self.forms and name:
            self.forms[-1].fields.setdefault(name, []).append(value)


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    status: int
    html: str

    def form(self, holding: str) -> Form:
        """The form that has a field of this name."""
        parser = _Forms()
        parser.feed(self.html)
        for form in parser.forms:
            if holding in form.fields or holding in form.buttons:
                return form
        raise LookupError(f"{self.url} ({self.status}) has no form with {holding}")


class Browser:
    def __init__(self, origin: str) -> None:
        self._client = httpx.Client(base_url=origin, follow_redirects=True, timeout=30)

    def close(self) -> None:
        self._client.close()

    def open(self, address: str) -> Page:
        return self._page(self._client.get(address))

    def submit(self, page: Page, form: Form, button: str = "", **changed: str) -> Page:
        fields = {**form.fields, **{name: [value] for name, value in changed.items()}}
        if button:
            fields[button] = [form.buttons[button]]
        headers = {"Origin": str(self._client.base_url).rstrip("/"), "Referer": page.url}
        address = urljoin(page.url, form.action)
        return self._page(self._client.post(address, data=fields, headers=headers))

    def log_in(self, name: str, password: str) -> Page:
        page = self.open("/admin/login/?next=/admin/")
        return self.submit(page, page.form("password"), login=name, password=password)

    def _page(self, response: httpx.Response) -> Page:
        return Page(str(response.url), response.status_code, response.text)
