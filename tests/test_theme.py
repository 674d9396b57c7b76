"""The generated files of the theme are up to date, and pages keep to the rules of the layout."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "app" / "static"
TEMPLATES = sorted(path for folder in ("app", "core") for path in (ROOT / folder).rglob("templates/**/*.html"))

PROPERTY = re.compile(r"(--[\w-]+)\s*:")


@pytest.fixture(scope="module")
def theme() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "theme.py"))


@pytest.mark.parametrize("name", ["dark.css", "icons.svg"])
def test_generated_file_is_up_to_date(theme: dict[str, Any], name: str) -> None:
    assert STATIC.joinpath(name).read_text(encoding="utf-8") == theme["make"]()[name], "run python scripts/theme.py"


def test_dark_theme_takes_dark_rules_only(theme: dict[str, Any]) -> None:
    css = """
        @charset "UTF-8";
        a { color: red }
        [data-bs-theme=dark] { --x: url("data:image/svg+xml,{;}") } /* [data-bs-theme=dark] { --gone: 1 } */
        [data-bs-theme=dark] a:is(b, c), .card, [data-bs-theme=dark] p { color: blue }
        .navbar[data-bs-theme=dark] { color: green }
        @media (min-width: 1px) { i { top: 0 } [data-bs-theme=dark] i { top: 1px } }
        @media print { i { top: 0 } }
    """
    here = ":root:where(:not([data-bs-theme]))"
    assert theme["dark"](css).splitlines()[1:] == [
        "@media screen and (prefers-color-scheme: dark) {",
        f'{here} {{--x: url("data:image/svg+xml,{{;}}")}}',
        f"{here} a:is(b, c), {here} p {{color: blue}}",
        "@media (min-width: 1px) {",
        f"{here} i {{top: 1px}}",
        "}",
        "}",
    ]


def test_dark_theme_overrides_bootstrap_light(theme: dict[str, Any]) -> None:
    # dark.css comes last, so what only :root sets would look one way by the system and another by choice.
    light, dark = re.findall(
        r"^(?::root|\[data-bs-theme=dark\]) \{(.*?)^\}", _read("site.css"), re.DOTALL | re.MULTILINE
    )
    of_bootstrap = set(PROPERTY.findall(_read("dark.css")))
    assert set(PROPERTY.findall(light)) & of_bootstrap <= set(PROPERTY.findall(dark))


def test_template_icons_in_sprite(theme: dict[str, Any]) -> None:
    named = {
        name for path in TEMPLATES for name in re.findall(r'\bicon\(["\']([\w-]+)', path.read_text(encoding="utf-8"))
    }
    assert named <= set(theme["ICONS"]), "add it to ICONS in scripts/theme.py and run that"


@pytest.mark.parametrize(
    # A mail cannot ask for a stylesheet. Nor can nginx, while the site is down: its style is let in by its hash.
    "path",
    [path for path in TEMPLATES if path.name not in ("mail.html", "page.html")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_template_without_inline_or_foreign_code(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", text)
    assert not re.findall(r"<(?:script|link|img|iframe|form|use)\b[^>]*(?:https?:)?//[^>]*>", text)


def _read(name: str) -> str:
    return STATIC.joinpath(name).read_text(encoding="utf-8")
