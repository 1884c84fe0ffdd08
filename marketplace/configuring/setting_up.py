"""Services, upstreams and routes of a document, by the rules of the console's forms."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.forms import BaseForm, model_to_dict

from marketplace import holding
from marketplace.admin.route_form import RouteForm, check_together
from marketplace.admin.service_form import ServiceForm
from marketplace.configuring.fields import Said
from marketplace.models import Category, Provider, Route, Service, Upstream

LISTED = ("allowed_origins", "tags")


class DocumentRouteForm(RouteForm):
    """Checked with its siblings, once all of them are known."""

    def clean(self) -> dict[str, object]:
        cleaned = dict(self.cleaned_data)
        if not self.errors:
            self._clean_guards(cleaned, [self.instance] if self.instance.pk else [])
        return cleaned


def service(
    provider: Provider, known: Service | None, said: Said, refusals: Mapping[str, str | None]
) -> tuple[Service | None, list[str]]:
    """The saved row, or None and what is wrong with it."""
    category = Category.objects.filter(slug=said["category"]).first()
    if said["category"] and category is None:
        return None, [f"category: there is no category {said['category']}."]
    row = known or Service(provider=provider)
    form = ServiceForm(instance=row)
    fields = {name: value for name, value in said.items() if name in form.fields}
    fields |= {name: "\n".join(said[name]) for name in LISTED}
    placed = {"provider": provider.pk, "category": category and category.pk}
    form = ServiceForm({**model_to_dict(row), **fields, **placed}, instance=row)
    if not form.is_valid():
        return None, _said(form)
    saved = form.save()
    wrong = _upstreams(saved, said["upstreams"], refusals)
    if saved.state != Service.State.DRAFT and not said["upstreams"]:
        wrong.append("upstreams: a service that is published needs an upstream to call.")
    return saved, wrong


def _upstreams(of: Service, said: Sequence[Said], refusals: Mapping[str, str | None]) -> list[str]:
    known = {each.url: each for each in of.upstreams.all()}
    wrong = []
    for each in said:
        row = known.pop(each["url"], None) or Upstream(service=of, url=each["url"])
        row.weight = each["weight"]
        if problem := refusals.get(row.url):
            wrong.append(f"upstreams: {row.url}: {problem}")
            continue
        try:
            row.full_clean()
        except ValidationError as exc:
            wrong.append(f"upstreams: {row.url}: {' '.join(exc.messages)}")
        else:
            row.save()
    Upstream.objects.filter(pk__in=[each.pk for each in known.values()]).delete()
    return wrong


def routes(
    of: Service, said: Sequence[Said], now: datetime
) -> tuple[list[tuple[Route, Sequence[Said]]], list[str]]:
    """The saved rows with the prices that are said of each, or what is wrong."""
    rows = {each.slug: each for each in Route.objects.filter(service=of)}
    wanted = {each["slug"] for each in said}
    for row in rows.values():
        if row.removed_at is None and row.slug not in wanted:
            holding.remove(row, now)
    forms = [_form(of, rows.get(each["slug"]), each) for each in said]
    wrong = [f"{form.data['slug']}: {each}" for form in forms for each in _said(form)]
    if not wrong:
        check_together(of, forms)
        wrong = [f"{form.data['slug']}: {each}" for form in forms for each in _said(form)]
    if wrong:
        return [], wrong
    saved = []
    for form, each in zip(forms, said, strict=True):
        form.instance.removed_at = None  # One that was removed and is asked for again.
        saved.append((form.save(), each["prices"]))
    return saved, []


def _form(of: Service, row: Route | None, said: Said) -> DocumentRouteForm:
    own = {name: value for name, value in said.items() if name != "prices"}
    instance = row or Route(service=of)
    return DocumentRouteForm({**own, "service": of.pk}, instance=instance)


def _said(form: BaseForm) -> list[str]:
    return [
        f"{'' if name == '__all__' else f'{name}: '}{' '.join(map(str, said))}"
        for name, said in form.errors.items()
    ]
