"""The data that ``flask prepare`` brings into an empty database."""

import sqlalchemy as sa

from services import db

from . import loading
from .models import City
from .models import Country


def load() -> int:
    """Load the places if there are none yet.

    :return: how many rows were added
    """
    for model in (Country, City):
        if db.session.scalar(sa.select(sa.exists(sa.select(model)))):
            return 0
    return loading.load()
