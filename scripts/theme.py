"""Make ``app/static/dark.css`` and ``app/static/icons.svg`` from the Bootstrap that is installed.

Run it after Bootstrap-Flask was updated, after a ``[data-bs-theme=dark]`` rule of ``site.css`` was
changed, or to add an icon: ``python scripts/theme.py``. A test fails when that was forgotten.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "app" / "static"

#: The icons of Bootstrap Icons that templates may name; the whole set is a file of 1.1 MB.
ICONS = (
    "check-circle-fill",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "chevron-up",
    "circle-half",
    "exclamation-octagon-fill",
    "exclamation-triangle-fill",
    "house",
    "inbox",
    "info-circle-fill",
    "list",
    "moon-stars",
    "pencil",
    "person-circle",
    "plus-lg",
    "search",
    "sun",
    "trash",
)

NOTE = "Made by scripts/theme.py: do not edit."

DARK = "[data-bs-theme=dark]"

# As specific as what it stands for, so that it wins and loses against the same rules.
NO_CHOICE = ":root:where(:not([data-bs-theme]))"


def main() -> None:
    """Write both files."""
    for name, text in make().items():
        STATIC.joinpath(name).write_text(text, encoding="utf-8")


def make() -> dict[str, str]:
    """Return what the generated files shall hold, by name."""
    bootstrap = files("flask_bootstrap").joinpath("static/bootstrap5")
    css = bootstrap.joinpath("css/bootstrap.min.css").read_text(encoding="utf-8")
    site = STATIC.joinpath("site.css").read_text(encoding="utf-8")
    sprite = bootstrap.joinpath("icons/bootstrap-icons.svg").read_text(encoding="utf-8")
    return {"dark.css": dark(css, site), "icons.svg": icons(sprite, ICONS)}


def dark(*sheets: str) -> str:
    """Return the dark rules of these sheets, for visitors who have made no choice of their own.

    Bootstrap has them under an attribute only, which takes a script to set.
    """
    rules = "".join(_dark_rules(re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)) for sheet in sheets)
    return f"/* {NOTE} */\n@media screen and (prefers-color-scheme: dark) {{\n{rules}}}\n"


def icons(sprite: str, names: tuple[str, ...]) -> str:
    """Return a sprite of these icons only.

    :raises KeyError: if one is not in the sprite
    """
    found = re.finditer(r'<symbol[^>]*? id="([^"]+)".*?</symbol>', sprite, re.DOTALL)
    symbols = {match[1]: match[0] for match in found}
    chosen = "\n".join(symbols[name] for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n<!-- {NOTE} -->\n{chosen}\n</svg>\n'


def _dark_rules(css: str) -> str:
    found = []
    for prelude, body in _blocks(css):
        if prelude.startswith(("@media", "@supports")):
            inner = _dark_rules(body)
            found += [f"{prelude} {{\n{inner}}}\n"] if inner else []
            continue
        # A comma inside :is(…) or :not(…) separates no selectors.
        selectors = [part.strip() for part in re.split(r",(?![^(]*\))", prelude)]
        kept = [part.replace(DARK, NO_CHOICE, 1) for part in selectors if part.startswith(DARK)]
        found += [f"{', '.join(kept)} {{{body}}}\n"] if kept else []
    return "".join(found)


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """Return ``(what stands before the brace, what stands inside)`` for each outermost block."""
    depth = start = opened = 0
    for match in re.finditer(r"[{};]|\"[^\"]*\"|'[^']*'", css):
        match match[0], depth:
            case "{", _:
                opened = opened if depth else match.end()
                depth += 1
            case "}", 1:
                yield css[start : opened - 1].strip(), css[opened : match.start()].strip()
                depth, start = 0, match.end()
            case "}", _:
                depth -= 1
            case ";", 0:
                start = match.end()


if __name__ == "__main__":
    main()
