import pytest

from app.api.places import fold


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("São Paulo", "sao paulo"),
        ("İstanbul", "istanbul"),
        ("Tromsø", "tromso"),
        ("Đà Nẵng", "da nang"),
        ("Łódź", "lodz"),
        ("Weißenfels", "weissenfels"),
        ("‘Ajmān", "'ajman"),
        ("Αθήνα", "αθηνα"),
        ("東京", "東京"),
        ("\u0301", "\u0301"),
        ("", ""),
    ],
)
def test_fold(name, folded):
    assert fold(name) == folded


def test_fold_of_a_fold_is_itself():
    folded = fold("Þórshöfn–Åré Ǻ ŉ")
    assert fold(folded) == folded
