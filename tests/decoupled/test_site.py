"""The decoupled site in a real browser: another origin than its API, let in by CORS and by nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Page
from playwright.sync_api import Request
from playwright.sync_api import Route
from playwright.sync_api import expect

from tests import tokens

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
CITIES = re.compile(r"/api/v1/cities$")
SEARCHES = re.compile(r"/api/v1/cities\?.*q=")

#: Types a text without a pause, however busy the machine is.
TYPE = """(input, text) => {
    for (let length = 1; length <= text.length; length += 1) {
        input.value = text.slice(0, length);
        input.dispatchEvent(new Event("input"));
    }
}"""


def combobox(page: Page):
    return page.get_by_role("combobox", name="City", exact=True)


def options(page: Page):
    return page.get_by_role("listbox", name="Cities").get_by_role("option")


def fill(page: Page, **values: str) -> None:
    """Fill the form; the country and the time zone are those of the city on show."""
    page.get_by_label("Name").focus()
    expect(page.get_by_label("Country")).to_have_value("ES")
    for label, value in ({"Name": "Itálica", "Latitude": "37.444", "Longitude": "-6.0466"} | values).items():
        page.get_by_label(label).fill(value)


# --- choosing -----------------------------------------------------------------------------------


def test_city_found_and_chosen_by_keyboard(site_page: Page) -> None:
    combobox(site_page).focus()
    site_page.keyboard.type("sevi")
    expect(options(site_page)).to_have_text([re.compile("Sevilla.*Spain.*686,741")])
    expect(combobox(site_page)).to_have_attribute("aria-expanded", "true")
    site_page.keyboard.press("ArrowDown")
    active = combobox(site_page).get_attribute("aria-activedescendant")
    expect(site_page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    site_page.keyboard.press("Enter")
    expect(options(site_page)).to_have_count(0)
    expect(combobox(site_page)).to_be_focused()
    expect(combobox(site_page)).to_have_value("Sevilla")
    expect(site_page.get_by_role("heading", name="Around Sevilla")).to_be_visible()


def test_typing_debounces_minimal_requests(site_page: Page) -> None:
    asked: list[str] = []
    site_page.on("request", lambda request: asked.append(request.url) if SEARCHES.search(request.url) else None)
    combobox(site_page).evaluate(TYPE, "dos hermanas")
    expect(options(site_page)).to_have_count(1)
    assert len(asked) == 1
    query = parse_qs(urlsplit(asked[0]).query)
    assert query["q"] == ["dos hermanas"]
    assert query["include"] == ["country"]
    assert "version" not in query["fields"][0]


def test_late_answer_ignored(site_page: Page) -> None:
    held: list[Route] = []
    failed: list[str] = []
    site_page.route(re.compile("q=cam"), lambda route: held.append(route))
    site_page.on("requestfailed", lambda request: failed.append(request.url))
    with site_page.expect_request(re.compile("q=cam")):
        combobox(site_page).fill("cam")
    combobox(site_page).fill("coria")
    expect(options(site_page)).to_have_text([re.compile("Coria del Río")])
    assert len(held) == len(failed) == 1


def test_enter_takes_the_first_one(site_page: Page) -> None:
    combobox(site_page).fill("camas")
    options(site_page).first.wait_for()
    combobox(site_page).press("Enter")
    expect(site_page.get_by_role("heading", name="Around Camas")).to_be_visible()


def test_nothing_found_is_said(site_page: Page) -> None:
    combobox(site_page).fill("xyzzy")
    expect(site_page.locator("#found")).to_have_text("Nothing is called “xyzzy”.")
    combobox(site_page).press("Escape")
    expect(options(site_page)).to_have_count(0)


def test_markup_in_a_name_is_text(site_page: Page) -> None:
    name = "<img src=x onerror=alert(1)>"
    fill(site_page, Name=name)
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.get_by_role("heading", name=f"Around {name}")).to_be_visible()
    combobox(site_page).fill("img")
    expect(options(site_page)).to_contain_text([name])
    assert site_page.locator("img").count() == 1


def test_map_links_to_neighbours(site_page: Page) -> None:
    combobox(site_page).fill("sevilla")
    options(site_page).first.click()
    neighbours = site_page.get_by_role("list", name="The nearest cities").get_by_role("listitem")
    expect(neighbours).to_have_count(5)
    expect(neighbours.first).to_contain_text("Camas")
    expect(neighbours.first).to_contain_text("6 km W")
    expect(neighbours.last).to_contain_text("Madrid")
    expect(site_page.get_by_role("img", name="Map of Sevilla and its 5 nearest cities")).to_be_visible()
    expect(site_page.locator("#map .neighbour")).to_have_count(5)
    neighbours.get_by_role("button", name="Dos Hermanas").press("Enter")
    heading = site_page.get_by_role("heading", name="Around Dos Hermanas")
    expect(heading).to_be_focused()
    site_page.go_back()
    expect(site_page.get_by_role("heading", name="Around Sevilla")).to_be_visible()


def test_city_in_the_address_is_shown(site_page: Page, origin: str, api: str) -> None:
    combobox(site_page).fill("coria")
    options(site_page).first.click()
    address = site_page.url
    site_page.goto("about:blank")
    site_page.goto(address)
    expect(site_page.get_by_role("heading", name="Around Coria del Río")).to_be_visible()
    site_page.goto(f"{origin}/?api={api}#city=999999")
    expect(site_page.locator("#around-fault")).to_have_text("There is no city 999999.")


# --- creating -----------------------------------------------------------------------------------


def test_double_click_creates_once(site_page: Page, count: Callable[[str], int]) -> None:
    posts: list[Request] = []
    site_page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    fill(site_page, Population="1500")
    site_page.get_by_role("button", name="Add the place").dblclick()
    expect(site_page.locator("#done")).to_have_text("Itálica is added.")
    expect(site_page.get_by_role("heading", name="Around Itálica")).to_be_visible()
    creates = [request for request in posts if CITIES.search(request.url)]
    assert len({request.headers["idempotency-key"] for request in creates}) == 1
    assert count("Itálica") == 1


def test_lost_answer_creates_once(site_page: Page, count: Callable[[str], int]) -> None:
    keys: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    site_page.route(CITIES, lose_the_first_answer)
    fill(site_page)
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.locator("#done")).to_have_text("Itálica had been added already, by your first attempt.")
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert count("Itálica") == 1


def test_idempotency_key_outlives_page(site_page: Page, count: Callable[[str], int], token: str) -> None:
    keys: list[str] = []

    def lose_every_answer(route: Route) -> None:
        if route.request.method == "POST":
            keys.append(route.request.headers["idempotency-key"])
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    site_page.clock.install()
    site_page.route(CITIES, lose_every_answer)
    fill(site_page)
    site_page.get_by_role("button", name="Add the place").click()
    for attempt in range(1, 4):
        expect(site_page.locator("#sending")).to_contain_text("Trying again")
        site_page.clock.run_for(4000)
        _wait_for(site_page, keys, attempt + 1)
    expect(site_page.locator("#summary")).to_contain_text("send it again, it is added once")
    site_page.unroute(CITIES)
    site_page.reload()
    fill(site_page, Token=token)
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.locator("#done")).to_contain_text("had been added already")
    assert len(set(keys)) == 1
    assert count("Itálica") == 1


def _wait_for(page: Page, found: list[str], number: int) -> None:
    for _ in range(100):
        if len(found) >= number:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"only {len(found)} of {number} requests")


def test_error_shown_beside_field(site_page: Page, count: Callable[[str], int]) -> None:
    fill(site_page, Latitude="91", Longitude="west", Name="")
    site_page.get_by_role("button", name="Add the place").click()
    summary = site_page.locator("#summary")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_count(3)
    for label in ("Name", "Latitude", "Longitude"):
        expect(site_page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    expect(site_page.get_by_label("Latitude")).to_have_accessible_description(re.compile("90"))
    expect(site_page.get_by_label("Population")).not_to_have_attribute("aria-invalid", "true")
    summary.get_by_role("link", name="Latitude").click()
    expect(site_page.get_by_label("Latitude")).to_be_focused()
    assert count("Itálica") == 0
    fill(site_page)
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.locator("#done")).to_have_text("Itálica is added.")
    expect(site_page.locator("[aria-invalid=true]")).to_have_count(0)


# --- who asks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ("", "Enter a token"),
        ("mine", "This is not a token of this site"),
        ("andamio_pat_é", "This is not a token"),
    ],
)
def test_place_takes_a_token(site_page: Page, count: Callable[[str], int], token: str, entered: str, said: str) -> None:
    fill(site_page, Token=entered)
    site_page.get_by_role("button", name="Add the place").click()
    summary = site_page.locator("#summary")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link", name="Token")).to_contain_text(said)
    expect(site_page.get_by_label("Token")).to_have_attribute("aria-invalid", "true")
    assert count("Itálica") == 0
    site_page.get_by_label("Token").fill(token)
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.locator("#done")).to_have_text("Itálica is added.")


def test_token_without_scope_explained(site_page: Page, platform_app: Flask, count: Callable[[str], int]) -> None:
    fill(site_page, Token=tokens.issue(platform_app, "example.tag.add"))
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.locator("#summary")).to_contain_text("api.city.add")
    assert count("Itálica") == 0


def test_token_sent_with_writes_not_stored(site_page: Page, token: str) -> None:
    sent: dict[str, set[str | None]] = {}
    site_page.on(
        "request", lambda request: sent.setdefault(request.method, set()).add(request.headers.get("authorization"))
    )
    combobox(site_page).fill("sevilla")
    options(site_page).first.click()
    fill(site_page)
    site_page.get_by_role("button", name="Add the place").click()
    expect(site_page.locator("#done")).to_have_text("Itálica is added.")
    assert sent["GET"] == {None}
    assert sent["POST"] <= {None, f"Bearer {token}"}
    assert f"Bearer {token}" in sent["POST"]
    kept = site_page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state])"
    )
    assert token not in kept
    assert token not in site_page.url
    expect(site_page.get_by_label("Token")).to_have_value(token)
    site_page.reload()
    expect(site_page.get_by_label("Token")).to_have_value("")


def test_page_links_to_tokens(site_page: Page, api: str) -> None:
    expect(site_page.get_by_role("link", name="make a token")).to_have_attribute("href", f"{api}/accounts/tokens")


# --- the border between the origins -------------------------------------------------------------


def test_other_origin_reads_and_creates_nothing(
    tab: Page, faults: list[str], serve_site: Callable[[], str], api: str, count: Callable[[str], int]
) -> None:
    tab.goto(f"{serve_site()}/?api={api}")
    expect(tab.locator("#around-fault")).to_contain_text(f"{api} does not answer this page")
    tab.locator("#name").fill("Itálica")
    refused = tab.evaluate(
        """api => fetch(`${api}/api/v1/cities`, {
            method: "POST",
            headers: {"Content-Type": "application/json"},
            body: JSON.stringify({name: "Itálica", country_code: "ES", latitude: 1, longitude: 1, timezone: "UTC"}),
        }).then(() => "answered", error => error.name)""",
        api,
    )
    assert refused == "TypeError"
    assert count("Itálica") == 0
    assert faults
    assert all("blocked by CORS policy" in fault for fault in faults)


def test_unknown_api_address_not_requested(tab: Page, faults: list[str], origin: str) -> None:
    asked: list[str] = []
    tab.on("response", lambda response: asked.append(response.url))
    tab.goto(f"{origin}/?api=https://stranger.example")
    expect(tab.locator("#around-fault")).to_contain_text("https://stranger.example does not answer this page")
    assert not [url for url in asked if "stranger" in url and "api=" not in url]
    assert faults
    assert all("Content Security Policy" in fault for fault in faults)


def test_visit_counted_on_leave(site_page: Page, platform_app: Flask) -> None:
    combobox(site_page).fill("sevilla")
    options(site_page).first.click()
    site_page.goto("about:blank")
    events = platform_app.test_client()
    for _ in range(100):
        found = {event["name"] for event in events.get("/events").json["items"]}
        if found:
            break
        site_page.wait_for_timeout(50)
    assert found == {"page_viewed", "city_chosen"}


# --- accessibility ------------------------------------------------------------------------------


def _with_list(page: Page) -> None:
    combobox(page).fill("a")
    options(page).first.wait_for()
    combobox(page).press("ArrowDown")


def _with_errors(page: Page) -> None:
    fill(page, Latitude="91", Name="")
    page.get_by_role("button", name="Add the place").click()
    page.get_by_role("link", name="Latitude").wait_for()


def _created(page: Page) -> None:
    fill(page)
    page.get_by_role("button", name="Add the place").click()
    page.get_by_text("Itálica is added.").wait_for()


STATES: dict[str, Callable[[Page], None]] = {
    "start": lambda page: None,
    "list": _with_list,
    "errors": _with_errors,
    "created": _created,
}

VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""


@pytest.mark.parametrize("state", STATES)
def test_page_accessible_on_every_screen(site_page: Page, state: str) -> None:
    STATES[state](site_page)
    site_page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        site_page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1280, 360):
            site_page.set_viewport_size({"width": width, "height": 800})
            found = site_page.evaluate(VIOLATIONS)
            assert not found, f"{scheme}, {width} px: {found}"
            assert site_page.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {width} px"
