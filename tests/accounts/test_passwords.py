"""Passwords that attackers try first are refused, however they are decorated; those that they do not are taken."""

import pytest
from flask import Flask

from app.accounts.common_passwords import is_common

COMMON = [
    "P@ssw0rd2024!!",
    "p@ssw0rd2024!!",
    "!!P@ssw0rd2024",
    "Pa$$w0rd-2025!",
    "Welcome2025!!!!",
    "Summer2024!!!!",
    "Winter@2023!!!",
    "Iloveyou2024!!",
    "$unsh1ne2024!!",
    "Dragon1234567!",
    "Admin@12345678",
    "M1chael1985!!!!",
    "adminadmin2024",
    "1q2w3e4r5t6y7u",
    "ChocolateCake1!",
]
OTHERS = [
    "correct horse battery staple",
    "four quiet otters borrow umbrellas",
    "tangerine-walrus-91",
    "xK9#mQ2$vL7p",
    "7hq-482916-5530",
    "Hq7Zt-pLw93847261",
    "J4mes-likes-old-trains",
    "ünïcödé wörds über älle",
    "长长长 plus a sentence",
]


@pytest.mark.parametrize("password", COMMON)
def test_common_password_is_refused(sqlite_app: Flask, password: str) -> None:
    with sqlite_app.app_context():
        faults, _ = sqlite_app.extensions["security"].password_util.validate(password, True)

    assert faults


@pytest.mark.parametrize("password", OTHERS)
def test_uncommon_password_is_taken(sqlite_app: Flask, password: str) -> None:
    with sqlite_app.app_context():
        faults, _ = sqlite_app.extensions["security"].password_util.validate(password, True)

    assert faults is None


@pytest.mark.parametrize("password", ["1" * 72, "a" * 72, "!" * 72, " " * 72])
def test_any_text_is_looked_at(password: str) -> None:
    assert is_common(password) in (True, False)
