"""The text of a token."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.tokens import texts
from core.logs import redact


def test_token_has_prefix_and_random_bits() -> None:
    text = texts.new_text()
    assert re.fullmatch(r"andamio_pat_[0-9A-Za-z]{49}", text)
    # 62 ** 43 is just above 2 ** 256.
    assert len({texts.new_text() for _ in range(1000)}) == 1000
    assert 62**43 >= 2**256 > 62**42


@pytest.mark.parametrize("number", [0, 1, 2**256 - 1])
def test_any_random_bits_make_a_token(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(texts.secrets, "token_bytes", lambda length: number.to_bytes(length))
    text = texts.new_text()
    assert len(text) == 61
    assert texts.is_token(text)


@given(place=st.integers(0, 60), letter=st.sampled_from("0aZ_. é\n"))
def test_mistyped_token_needs_no_query(place: int, letter: str) -> None:
    text = texts.new_text()
    wrong = text[:place] + letter + text[place + 1 :]
    assert texts.is_token(wrong) == (wrong == text)


@given(st.text())
def test_other_texts_are_no_tokens(text: str) -> None:
    assert not texts.is_token(text)


def test_cut_or_doubled_token_is_none() -> None:
    text = texts.new_text()
    assert not texts.is_token(text[:-1])
    assert not texts.is_token(f"{text}\n")
    assert not texts.is_token(text + text)


def test_digest_reveals_nothing_of_token() -> None:
    text = texts.new_text()
    assert re.fullmatch(r"[0-9a-f]{64}", texts.digest(text))
    assert texts.digest(text) != texts.digest(texts.new_text())


def test_token_is_redacted_wherever_it_stands() -> None:
    text = texts.new_text()
    for line in (text, f"GET /cities/{text}?q=1 404", f"x{text}", f"'{text}',"):
        assert text[12:] not in redact(line)
