from flask import Flask


def test_load_says_what_it_did(sqlite_app: Flask):
    runner = sqlite_app.test_cli_runner()
    first = runner.invoke(args=["api", "load"])
    assert (first.exit_code, "34,256 rows added." in first.output) == (0, True), first.output
    second = runner.invoke(args=["api", "load"])
    assert (second.exit_code, "Nothing to add" in second.output) == (0, True)
