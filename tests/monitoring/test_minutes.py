"""Figures of each minute, and their page."""

import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser
from prometheus_client import Counter
from prometheus_client.mmap_dict import MmapedDict

from app.monitoring import minutes as keeping
from app.monitoring import overviews
from app.monitoring import plots
from app.monitoring import recording
from app.monitoring import sharing
from app.monitoring import totals
from app.monitoring.cells import Cells
from app.monitoring.folders import Folder
from app.monitoring.minutes import Minutes
from core.access import Identity
from core.access import set_identity_loader

VIEWER = Identity("v", "Vera", frozenset({"monitoring.page.view"}), via="session")


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock of the minutes: ``clock(10.5)`` is in the middle of the tenth."""
    now = [0.0]
    monkeypatch.setattr(keeping, "time", lambda: now[0] * 60)

    def set_clock(minute: float) -> None:
        now[0] = minute

    return set_clock


@pytest.fixture
def set_count(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how many requests were counted since the beginning."""
    found = totals.of([])
    monkeypatch.setattr(keeping.exposition, "gather", lambda environment: [])
    monkeypatch.setattr(keeping.totals, "of", lambda metrics: json.loads(json.dumps(found)))

    def set_count(number: int) -> None:
        found["requests"] = {"shop.index": number}

    return set_count


@pytest.fixture
def shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Folder(tmp_path)
    monkeypatch.setattr(sharing.state, "folder", folder)
    yield tmp_path
    folder.leave()


def requests(kept: list[tuple[int, totals.Totals]]) -> list[tuple[int, int]]:
    return [(minute, record["requests"].get("shop.index", 0)) for minute, record in kept]


def test_minute_contains_its_requests(shared_folder, set_clock, set_count) -> None:
    one, other = Minutes("testing"), Minutes("testing")
    set_count(0)
    for minute, process, total in ((10.0, one, 3), (10.5, other, 5), (11.0, other, 6), (11.1, one, 9), (40.2, one, 10)):
        set_clock(minute)
        process.tick()
        set_count(total)

    # Figures of the eleventh stand there, though they were read only half an hour later.
    assert requests(one.read(0)) == [(10, 5), (11, 4), (40, 1)]
    assert requests(other.read(11)) == [(11, 4), (40, 1)]


def test_minutes_survive_restart_and_broken_line(shared_folder, set_clock, set_count) -> None:
    for minute, total in ((10, 5), (11, 6), (12, 9)):
        set_count(total)
        set_clock(minute)
        Minutes("testing").tick()
    with next(shared_folder.glob("minutes-*.jsonl")).open("a") as file:
        file.write('[12,{"req\n')

    set_clock(13)
    Minutes("testing").tick()
    assert requests(Minutes("testing").read(0)) == [(10, 1), (11, 3), (12, 0), (13, 0)]


def test_old_days_are_deleted(shared_folder, set_clock, set_count) -> None:
    for day in range(6):
        set_clock(day * 1440)
        Minutes("testing").tick()

    assert len(list(shared_folder.glob("minutes-*.jsonl"))) == keeping.DAYS + 1


def test_deleted_files_give_no_negative_minute(shared_folder, set_clock, set_count) -> None:
    for minute, total in ((10, 5), (11, 2)):
        set_count(total)
        set_clock(minute)
        Minutes("testing").tick()

    assert requests(Minutes("testing").read(0))[0] == (10, 2)


def test_full_disk_fails_no_request(shared_folder, set_clock, set_count, caplog) -> None:
    (shared_folder / "minute.new").mkdir()
    set_clock(10)
    Minutes("testing").tick()

    assert "could not be kept" in caplog.text


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slow", "share", "low", "high"), [(0, 0.5, 0.001, 0.0025), (10, 0.95, 1, 2.5), (10, 0.5, 0, 0.0025)]
)
def test_percentile_is_within_its_bucket(slow: int, share: float, low: float, high: float) -> None:
    counts = [0.0, 100.0, *[0.0] * 8, 100.0 * slow / 100, *[0.0] * 3]

    found = totals.percentile(counts, share)
    assert found is not None
    assert low <= found <= high


def test_plot_line_breaks_at_gaps() -> None:
    assert plots.path([0, 1, None, 1], 2) == "M0.0 100.0h0L200.0 50.0M600.0 50.0h0"
    assert plots.path([], 1) == ""


@pytest.mark.parametrize(("value", "end"), [(0, 1), (1, 1), (3, 5), (0.011, 0.02), (51, 100), (200, 200)])
def test_scale_ends_at_a_round_number(value: float, end: float) -> None:
    assert plots.round_up(value) == pytest.approx(end)


@pytest.mark.parametrize("length", range(1, 18))
def test_file_readable_by_prometheus_client(tmp_path: Path, length: int) -> None:
    names = ["ä" * (length // 2) + "x" * (length % 2), "second" * length]
    for added in (1.0, 2.0):
        cells = Cells(tmp_path / "counter_1.db")
        for name in names:
            values, index = cells.place(name)
            values[index] += added

    read = MmapedDict.read_all_values_from_file(str(tmp_path / "counter_1.db"))
    assert [(name, value) for name, value, _, _ in read] == [(name, 3.0) for name in names]


def test_growing_file_keeps_values(tmp_path: Path) -> None:
    cells = Cells(tmp_path / "counter_1.db")
    values, index = cells.place("first")
    for number in range(3000):
        cells.place(f"{number}" * 30)
    values[index] = 7.0

    read = {name: value for name, value, _, _ in MmapedDict.read_all_values_from_file(str(tmp_path / "counter_1.db"))}
    assert (len(read), read["first"]) == (3001, 7.0)
    # No holes: on a disk that is full they would end the process.
    stat = (tmp_path / "counter_1.db").stat()
    assert stat.st_blocks * 512 >= stat.st_size


def test_metric_created_too_early_named(make_app, caplog) -> None:
    recording.install(make_app(), ["shop_orders"])
    assert "counts for itself: shop_orders" in caplog.text
    assert isinstance(Counter("test_minutes", "One.", registry=None)._value, sharing.SharedValue)


# --- the page -----------------------------------------------------------------------------------


@pytest.fixture
def viewer_app(make_app) -> Flask:
    app: Flask = make_app()
    set_identity_loader(app, lambda: VIEWER)
    return app


def test_page_is_for_those_who_may(make_app, viewer_app: Flask) -> None:
    assert viewer_app.test_client().get("/monitoring").status_code == 200
    assert ">Monitoring</a>" in viewer_app.test_client().get("/").text
    assert make_app().test_client().get("/monitoring").status_code in (303, 401)


@pytest.mark.parametrize("query", ["hours=2", "hours=", "hours=1&hours=1", "hours=24x", "hours=-1"])
def test_page_refuses_unknown_parameters(viewer_app: Flask, query: str) -> None:
    assert viewer_app.test_client().get(f"/monitoring?{query}").status_code == 400


def test_page_shows_slow_and_failing_endpoints(viewer_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"requests": {"shop.index": 1000.0}, "seconds": {"shop.index": 2.0}}
    record = {**totals.join([]), **quick, "sql": {"shop.index": 1.0}, "statements": {"shop.index": 3000.0}}
    record["buckets"] = {"shop.index": [0.0, 1000.0, *[0.0] * 12], "shop.pay": [0.0] * 10 + [9.0, 0.0, 0.0, 0.0]}
    record["requests"]["shop.pay"], record["errors"] = 9.0, {"shop.pay": 2.0}
    record["exceptions"] = {"ValueError in shop.pay": 2.0}
    found = overviews.of([(1000, record)], 1, 1000.5)

    assert [row["name"] for row in found.endpoints] == ["shop.pay", "shop.index"]
    assert found.endpoints[1] | {"sql": "50 %", "statements": "3", "mean": "2 ms"} == found.endpoints[1]
    assert found.faults == [("ValueError in shop.pay", "2")]
    assert dict(found.facts)["Errors (5xx)"] == "2 (0.2 %)"
    monkeypatch.setattr(Minutes, "read", lambda self, since: [(since + 50, record)])
    text = viewer_app.test_client().get("/monitoring?hours=1").text
    assert text.index("shop.pay") < text.index("shop.index")
    assert "style=" not in text


def test_page_is_readable_everywhere(viewer_app: Flask, live_server, browser: Browser) -> None:
    address = live_server(viewer_app)
    for width in (1280, 360):
        page = browser.new_page(viewport={"width": width, "height": 800}, java_script_enabled=False)
        page.goto(f"{address}/monitoring?hours=6")
        assert page.locator("svg[role=img]").count() == 6
        assert "Requests a minute" in (page.locator("#requests svg[role=img]").get_attribute("aria-label") or "")
        page.locator("summary", has_text="as a table").click()
        assert page.locator("details tbody tr").count() == 12
        assert page.locator("html").evaluate("one => one.scrollWidth") <= width
        page.close()
