"""The files of the core that a reader must open to follow a form of the catalogue."""

import itertools
from collections.abc import Callable

from flask import Flask

from tests.request_files import files_of


def test_form_touches_few_files(make_app: Callable[..., Flask]) -> None:
    client, number = make_app(WTF_CSRF_ENABLED=False).test_client(), itertools.count()
    found = files_of(lambda: client.post("/example/categories/new", data={"name": f"Category {next(number)}"}))

    assert len(found) <= 37, sorted(found)
