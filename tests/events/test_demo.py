from flask import Flask
from flask.testing import FlaskClient

from app.events import demo


def test_demo_fills_the_summaries_once(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        assert demo.load() == demo.COUNT
        assert demo.load() == 0
    days = [row["events"] for row in client.get("/events/days").json["items"]]
    assert len(days) == 30
    assert sum(days) >= demo.COUNT * 0.9
    assert min(days[:-1]) > 0
    assert sum(row["events"] for row in client.get("/events/hours").json["items"]) > 0
    assert len(client.get("/events/top").json["items"]) == 10
