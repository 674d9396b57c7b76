"""The places below a prefix: the URLs in headers and bodies of the REST API."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from tests.api.conftest import city_maker


def test_urls_of_api_have_prefix(make_app: Callable[..., Flask], city_data: dict[str, Any]) -> None:
    app = make_app(SCRIPT_NAME="/app")
    make, client = city_maker(app), app.test_client()
    make()
    url = "/app/api/v1/cities"

    created = client.post(url, json=city_data, base_url="http://localhost/")
    read = client.get(created.location, base_url="http://localhost/")
    listed = client.get(f"{url}?limit=1", base_url="http://localhost/")
    missing = client.get(f"{url}/0", base_url="http://localhost/")
    bulk = client.post(
        f"{url}:bulk", json={"operations": [{"method": "create", "data": city_data}]}, base_url="http://localhost/"
    )

    assert created.location == f"{url}/{created.json['id']}"
    assert read.json["name"] == "Macondo"
    assert listed.json["links"]["next"].startswith(f"{url}?")
    assert f"<{url}?" in listed.headers["Link"]
    assert missing.json["type"] == "/app/problems/not-found"
    assert bulk.json["results"][0]["location"].startswith(f"{url}/")
