"""The accounts, as listed for those who manage them. No HTTP."""

from core.crud import Crud

from .models import User
from .roles.granting import EDIT_PEOPLE


class People(Crud):
    """Users: all accounts."""

    model = User
    search = ("name", "email")
    filters = {"roles.id": ("eq",), "active": ("eq",)}
    sorts = ("name", "email", "created_at")
    order = ("email",)
    access = {"list": EDIT_PEOPLE, "get": EDIT_PEOPLE}


people = People()
