"""The types of libpass, which ships none: those names that are used here."""

from collections.abc import Mapping
from typing import Any

class AppWallet:
    default_tag: str
    def __init__(self, secrets: Mapping[str, str] | None = None, default_tag: str | None = None) -> None: ...

class TotpMatch:
    counter: int

class TOTP:
    wallet: AppWallet
    @classmethod
    def using(cls, *, issuer: str | None = None, wallet: AppWallet | None = None) -> type[TOTP]: ...
    @classmethod
    def from_source(cls, source: str | Mapping[str, Any]) -> TOTP: ...
    @classmethod
    def verify(cls, token: str | int, source: str, *, window: int = 30) -> TotpMatch: ...
    def to_json(self, encrypt: bool | None = None) -> str: ...
