"""The objects that everything shares, and how they start: the ORM, schemas, forms, logging.

They are made here and nowhere else, hold no application's state, and are tied to one by
:func:`init_app`. Nothing of this project is imported, so that any file may import ``db``.
"""

import logging.config
from typing import TYPE_CHECKING
from typing import ClassVar

from flask import Flask
from flask_bootstrap import Bootstrap5
from flask_marshmallow import Marshmallow
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import MetaData
from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase

#: Every constraint gets a name, so that every migration can drop it again on every engine.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The declarative base of which ``db.Model`` is made."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:

    class Model(Base):
        """``db.Model``, by a name that mypy accepts as a base class (python/mypy#8603)."""

        __abstract__ = True
        __table__: ClassVar[Table]
else:
    Model = db.Model

ma = Marshmallow()
csrf = CSRFProtect()
bootstrap = Bootstrap5()


def init_app(app: Flask) -> None:
    """Start logging, then tie the shared objects to this application."""
    configure_logging(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    db.init_app(app)
    ma.init_app(app)
    # Flask-WTF takes no earlier secrets by itself: forms that were open while the secret changed would be refused.
    secrets = [*reversed(app.config["SECRET_KEY_FALLBACKS"] or ()), app.config["SECRET_KEY"]]
    app.config.setdefault("WTF_CSRF_SECRET_KEY", secrets)
    csrf.init_app(app)
    bootstrap.init_app(app)


def configure_logging(level: str, style: str) -> None:
    """Send all logs to standard error, each line with the request's id; see :mod:`core.logs`.

    :param style: ``text`` or ``json``
    """
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": "core.logs.line_formatter", "style": style}},
            "filters": {"request_id": {"()": "core.logs.AddRequestId"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
            "root": {"level": level, "handlers": ["stderr"]},
            # Seven lines each time that say nothing about this database.
            "loggers": {"alembic.runtime.plugins": {"level": "WARNING"}},
        }
    )
