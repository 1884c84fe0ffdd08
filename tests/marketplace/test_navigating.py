from marketplace.navigating import Link, sidebar

HOME = Link("Dashboard", "/admin/", "space_dashboard")


def model(name: str, address: str) -> dict[str, object]:
    return {"name": f"{name}s", "object_name": name, "admin_url": address}


def test_known_models_are_in_order_and_strangers_under_their_app() -> None:
    shop = {"name": "Marketplace", "models": [model("Route", "/admin/m/r/"), model("X", "/a/b/x/")]}
    shop["models"].insert(1, model("Service", "/admin/m/s/"))  # type: ignore[attr-defined]
    groups = sidebar([HOME], [shop], "/admin/m/s/7/change/")
    assert [group["title"] for group in groups] == ["", "Shop", "Marketplace"]
    assert [[item["title"] for item in group["items"]] for group in groups] == [
        ["Dashboard"],
        ["Services", "Routes"],
        ["Xs"],
    ]
    assert [item["title"] for g in groups for item in g["items"] if item["active"]] == ["Services"]


def test_dashboard_is_active_on_its_own_page_alone() -> None:
    assert sidebar([HOME], [], "/admin/")[0]["items"][0]["active"]
    assert not sidebar([HOME], [], "/admin/m/s/")[0]["items"][0]["active"]
