"""The configuration's screens, and the command that does the same."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from marketplace import configuring
from marketplace.models import Configuration, Service
from tests.marketplace.admin.people import People

SCREEN = "/admin/configuration/"


def changed(people: People, tagline: str = "By hand") -> str:
    document = configuring.export(people.alba)
    document["services"][0]["tagline"] = tagline  # type: ignore[index, call-overload]
    return json.dumps(document)


def test_provider_looks_first_and_applies_then(people: People) -> None:
    shown = people.as_alba.get(SCREEN)
    assert json.loads(shown.context["draft"].text) == configuring.export(people.alba)
    form = {"document": changed(people), "reason": "a better word", "plan": "1"}
    planned = people.as_alba.post(SCREEN, form)
    assert "tagline: The alba-weather, by the hour. → By hand" in planned.content.decode()
    assert not Configuration.objects.exists()
    applied = people.as_alba.post(SCREEN, form | {"apply": "1"}, follow=True)
    assert "a better word" in applied.content.decode()
    assert Service.objects.get(slug="alba-weather").tagline == "By hand"
    back = people.as_alba.get(f"{SCREEN}1/")
    assert "By hand → The alba-weather, by the hour." in back.content.decode()


def test_download_is_the_document(people: People) -> None:
    response = people.as_alba.get(reverse("admin:configuration_export"))
    assert response.json() == configuring.export(people.alba)
    assert "alba.json" in response.headers["Content-Disposition"]


@pytest.mark.parametrize("document", ["", "{}", "[1]", '{"format": "x"}'])
def test_what_is_wrong_is_said_and_nothing_changed(people: People, document: str) -> None:
    form = {"document": document, "apply": "1"}
    page = people.as_alba.post(SCREEN, form).content.decode()
    assert "Nothing was changed" in page


def test_others_see_and_change_nothing_of_it(people: People, client: Client) -> None:
    people.as_alba.post(SCREEN, {"document": changed(people), "apply": "1"})
    for path in (SCREEN, f"{SCREEN}export.json", f"{SCREEN}2/", f"{SCREEN}?provider=alba"):
        theirs = people.as_bruno.get(path)
        assert "alba" not in theirs.content.decode().lower()
        assert client.get(path).status_code == 302
    people.as_bruno.post(f"{SCREEN}?provider=alba", {"document": changed(people), "apply": "1"})
    assert not Configuration.objects.filter(provider=people.bruno).exists()
    assert Configuration.objects.filter(provider=people.alba).count() == 2


def test_staff_choose_whose_shop(people: People) -> None:
    assert "?provider=alba" in people.as_staff.get(SCREEN).content.decode()
    shown = people.as_staff.get(f"{SCREEN}?provider=bruno").content.decode()
    assert "bruno-files" in shown
    assert people.as_staff.get(f"{SCREEN}?provider=nobody").status_code == 404


def test_command_exports_plans_and_applies(people: People, tmp_path: Path) -> None:
    def run(*words: str) -> str:
        said = StringIO()
        call_command("configuration", *words, stdout=said)
        return said.getvalue()

    file = tmp_path / "alba.json"
    file.write_text(run("export", "alba"))
    assert "changes nothing" in run("plan", "alba", str(file))
    file.write_text(changed(people, "By a command"))
    assert "By a command" in run("plan", "alba", str(file))
    assert "number 2" in run("apply", "alba", str(file), "--reason", "automation")
    assert Service.objects.get(slug="alba-weather").tagline == "By a command"
    with pytest.raises(CommandError, match="changed since"):
        run("apply", "alba", str(file))
    with pytest.raises(CommandError, match="no provider"):
        run("export", "nobody")
