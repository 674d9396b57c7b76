import pytest

from core.fields.words import words


@pytest.mark.parametrize(
    ("name", "expected"),
    [("OrderLine", "order line"), ("order_line", "order line"), ("URLPart", "urlpart"), ("X", "x")],
)
def test_words(name: str, expected: str) -> None:
    assert words(name) == expected
