"""The Spanish documents say what the English ones say: their code and commands are the same, in the same order."""

import re

import pytest

from config import ROOT
from tests.documents import blocks

PAIRS = [("README.md", "docs/es/README.md"), ("docs/modules.md", "docs/es/modules.md")]


@pytest.mark.parametrize(("english", "spanish"), PAIRS)
def test_spanish_document_has_same_commands(english, spanish):
    translated = [*blocks((ROOT / spanish).read_text())]
    assert len(translated) > 5
    assert translated == [*blocks((ROOT / english).read_text())][: len(translated)]


@pytest.mark.parametrize(("english", "spanish"), PAIRS)
def test_spanish_document_has_same_tables(english, spanish):
    """A file or an attribute that is added, or goes, does so in both."""
    names = re.compile(r"^\| (`[^|]*`[^|]*) \|", re.M)
    code = re.compile(r"`([a-z_]+(?:\.py)?)`")
    text = (ROOT / english).read_text()
    known = {name for cell in names.findall(text) for name in code.findall(cell)}
    for cell in names.findall((ROOT / spanish).read_text()):
        assert set(code.findall(cell)) <= known
