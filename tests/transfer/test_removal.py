from collections.abc import Callable

from flask import Flask

from settings import INSTALLED_APPS

NAME = "app.transfer"


def test_commands_go_with_the_module(make_app: Callable[..., Flask]) -> None:
    app = make_app(None, [name for name in INSTALLED_APPS if name != NAME])

    result = app.test_cli_runner().invoke(args=["transfer", "dump"])
    assert (result.exit_code, "No such command" in result.output) == (2, True)
    assert app.test_client().get("/").status_code == 200
    assert "dump" in make_app(None, [NAME]).test_cli_runner().invoke(args=["transfer", "--help"]).output
