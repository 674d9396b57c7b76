"""Rows of the catalogue, made by factory-boy and committed, so that requests see them."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import factory
import pytest
import sqlalchemy as sa
from factory.alchemy import SQLAlchemyModelFactory
from flask import Flask

from app.example.models import Category
from app.example.models import Product
from app.example.models import Status
from app.example.models import Tag
from core.access import Identity
from services import db
from tests.identities import editor


class CategoryFactory(SQLAlchemyModelFactory):
    class Meta:
        model = Category
        sqlalchemy_session = db.session

    name = factory.Sequence(lambda number: f"Category {number:03}")


class TagFactory(SQLAlchemyModelFactory):
    class Meta:
        model = Tag
        sqlalchemy_session = db.session

    name = factory.Sequence(lambda number: f"Tag {number:03}")


class ProductFactory(SQLAlchemyModelFactory):
    class Meta:
        model = Product
        sqlalchemy_session = db.session

    name = factory.Sequence(lambda number: f"Product {number:03}")
    sku = factory.Sequence(lambda number: f"SKU-{number:03}")
    category = factory.SubFactory(CategoryFactory)
    status = Status.ON_SALE
    price = Decimal("9.50")
    stock = 3
    available_from = date(2026, 2, 28)


class Shop:
    """The catalogue of one application, behind its pages: rows go in, and what is stored comes out."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def add(self, maker: type[SQLAlchemyModelFactory], **values: Any) -> int:
        """Add a row and give its id; other rows are named by their ids."""
        with self.app.app_context():
            if "category" in values:
                values["category"] = db.session.get_one(Category, values["category"])
            if "tags" in values:
                values["tags"] = [db.session.get_one(Tag, key) for key in values["tags"]]
            item = maker(**values)
            db.session.commit()
            key: int = item.id
            return key

    def category(self, **values: Any) -> int:
        return self.add(CategoryFactory, **values)

    def tag(self, **values: Any) -> int:
        return self.add(TagFactory, **values)

    def product(self, **values: Any) -> int:
        return self.add(ProductFactory, **values)

    def read(self, model: type[Any], key: int) -> dict[str, Any] | None:
        """Give a row as it is stored, a product with the ids of its tags."""
        with self.app.app_context():
            item = db.session.get(model, key)
            if item is None:
                return None
            found = {column.key: getattr(item, column.key) for column in sa.inspect(model).column_attrs}
            return {**found, "tags": [tag.id for tag in item.tags]} if model is Product else found

    def only(self, model: type[Any], **values: Any) -> dict[str, Any]:
        """Return the only row with these values."""
        with self.app.app_context():
            key = db.session.scalars(sa.select(model.id).filter_by(**values)).one()
        found = self.read(model, key)
        assert found is not None
        return found

    def content(self) -> list[list[tuple[Any, ...]]]:
        """Return all that is stored, to compare it with what it is later."""
        tables = [table for table in db.metadata.sorted_tables if table.name.startswith("example_")]
        with self.app.app_context():
            return [sorted(map(tuple, db.session.execute(sa.select(table))), key=repr) for table in tables]


@pytest.fixture
def catalogue(app: Flask) -> Shop:
    """Return the catalogue of ``app``, on each engine."""
    return Shop(app)


@pytest.fixture
def sqlite_catalogue(sqlite_app: Flask) -> Shop:
    """Return the catalogue of ``site``, on SQLite."""
    return Shop(sqlite_app)


@pytest.fixture
def make_catalogue() -> Callable[[Flask], Shop]:
    """Return the catalogue of an application that the test makes."""
    return Shop


@pytest.fixture
def sender() -> Callable[[], Identity]:
    """Let an identity send the requests that may do everything."""
    return editor
