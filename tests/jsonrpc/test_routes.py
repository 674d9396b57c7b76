"""The page of the methods: without a script, and in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
PATH = "/docs/rpc"


@pytest.fixture
def base_url(sqlite_app: Flask, live_server: Callable[[Flask], str]) -> str:
    return live_server(sqlite_app)


def test_page_describes_methods(sqlite_app: Flask) -> None:
    page = sqlite_app.test_client().get(PATH)
    assert page.status_code == 200
    for words in (
        '<h2 id="group-numbers">numbers</h2>',
        "Numbers, and what goes wrong with them.",
        "Subtract one number from another.",
        "<p>Both are whole.</p>",
        "Whole number. What is taken from.",
        "Whole number. Without it 1.",
        "Whole number. The difference.",
        "<code>-32001</code>",
        "Not found: never.",
        "One of RED, BLUE.",
        "Any number of: whole number.",
        "curl http://localhost/rpc -H",
        "&#34;params&#34;: {&#34;minuend&#34;: 42, &#34;subtrahend&#34;: 23}",
    ):
        assert words in page.text, words


def test_page_is_in_the_menu(sqlite_app: Flask) -> None:
    assert f'<a href="{PATH}" aria-current="page">RPC</a>' in sqlite_app.test_client().get(PATH).text


def test_page_without_inline_script_or_style(sqlite_app: Flask) -> None:
    page = sqlite_app.test_client().get(PATH)
    assert "<style" not in page.text
    assert " style=" not in page.text
    assert page.text.count("<script") == page.text.count('<script src="')
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_page_knows_mount_path(sqlite_app: Flask) -> None:
    page = sqlite_app.test_client().get(PATH, environ_overrides={"SCRIPT_NAME": "/below"})
    assert 'data-endpoint="/below/rpc"' in page.text
    assert "curl http://localhost/below/rpc" in page.text


def outcome(page: Page, method: str) -> Any:
    return page.locator(f"[id='{method}'] .outcome")


def call(page: Page, method: str) -> None:
    page.get_by_role("button", name=f"Call {method}", exact=True).click()


def test_methods_are_called_from_their_forms(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}{PATH}#numbers.subtract")
    call(page, "numbers.subtract")
    expect(outcome(page, "numbers.subtract")).to_contain_text('"result": 19')
    page.locator("[id='numbers.subtract-subtrahend']").fill("9007199254740993")
    page.locator("[id='numbers.subtract-minuend']").fill("9007199254740993")
    call(page, "numbers.subtract")
    expect(outcome(page, "numbers.subtract")).to_contain_text('"result": 0')
    page.locator("[id='numbers.subtract-minuend']").fill("many")
    call(page, "numbers.subtract")
    expect(outcome(page, "numbers.subtract")).to_contain_text("It failed")
    expect(outcome(page, "numbers.subtract")).to_contain_text('"field": "minuend"')


def test_non_text_values_entered(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}{PATH}#numbers.paint")
    page.locator("[id='numbers.paint-colour']").select_option("BLUE")
    page.locator("[id='numbers.paint-dark']").select_option("true")
    page.locator("[id='numbers.paint-share']").fill("1")
    call(page, "numbers.paint")
    expect(outcome(page, "numbers.paint")).to_contain_text('"result": "BLUE"')
    page.goto(f"{base_url}{PATH}#numbers.total")
    page.locator("[id='numbers.total-numbers']").fill("[1, 2, 4]")
    call(page, "numbers.total")
    expect(outcome(page, "numbers.total")).to_contain_text('"result": 7')
    page.locator("[id='numbers.total-numbers']").fill("[1,")
    call(page, "numbers.total")
    expect(outcome(page, "numbers.total")).to_contain_text("no valid JSON")


def test_token_goes_with_the_call(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}{PATH}#App.index")
    page.get_by_label("Token").fill("abc")
    with page.expect_request("**/rpc") as sent:
        call(page, "App.index")
    assert sent.value.headers["authorization"] == "Bearer abc"
    assert "cookie" not in sent.value.headers
    expect(outcome(page, "App.index")).to_contain_text('"name": "Andamio"')


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "light"), (1280, "dark")])
def test_page_is_accessible(browser: Browser, base_url: str, width: int, scheme: Any) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{base_url}{PATH}#numbers.subtract")
    call(page, "numbers.subtract")
    expect(outcome(page, "numbers.subtract")).to_contain_text("result")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    context.close()


def test_page_is_read_without_a_script(browser: Browser, base_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base_url}{PATH}")
    page.locator("[id='numbers.subtract'] summary").click()
    expect(page.get_by_text("Both are whole.")).to_be_visible()
    expect(page.get_by_role("button", name="Call numbers.subtract")).to_be_hidden()
    context.close()
