"""A bank: columns that only it sets, hidden ones, and one with a read policy; rows that exist for some."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import SIGNED_IN
from core.access import identity
from core.access import permission
from core.access import unchecked
from core.crud import Crud
from core.data.models import Owned
from core.data.models import Timestamped
from core.data.models import Versioned
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import db
from tests.history.ledger import Base

AUDIT = permission("bank.account.audit")


class Contract(Owned, Versioned, Base):
    """A row that only its owner reads."""

    __tablename__ = "bank_contract"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))

    def __str__(self) -> str:
        return self.name


account_contract = sa.Table(
    "bank_account_contract",
    Base.metadata,
    sa.Column("account_id", sa.ForeignKey("bank_account.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("contract_id", sa.ForeignKey("bank_contract.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Account(Owned, Timestamped, Versioned, Base):
    __tablename__ = "bank_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    approved: Mapped[bool] = mapped_column(default=False, info={"read_only": True})
    balance: Mapped[int] = mapped_column(default=0, info={"read_only": True})
    points: Mapped[int] = mapped_column(default=0)
    #: No face has it.
    ceiling: Mapped[int] = mapped_column(default=0)
    score: Mapped[str | None] = mapped_column(sa.String(40), info={"hidden": True})
    verdict: Mapped[str | None] = mapped_column(sa.String(40), info={"read": AUDIT})
    memo: Mapped[str | None] = mapped_column(sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb"))
    contract_id: Mapped[int | None] = mapped_column(sa.ForeignKey("bank_contract.id"))
    contract: Mapped[Contract | None] = relationship()
    contracts: Mapped[list[Contract]] = relationship(secondary=account_contract, order_by=Contract.id)

    def __str__(self) -> str:
        return self.name


class Parcel(Versioned, Base):
    """A row that exists for its branch."""

    __tablename__ = "bank_parcel"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    branch: Mapped[str] = mapped_column(sa.String(40), info={"hidden": True})

    def __str__(self) -> str:
        return self.name


OWN = {
    "list": SIGNED_IN,
    "get": SIGNED_IN,
    "create": permission("bank.account.add"),
    "update": permission("bank.account.edit", owner="owner_key"),
    "delete": permission("bank.account.edit", owner="owner_key"),
}


class Accounts(Crud):
    model = Account
    access = OWN

    def pay_in(self, account: Account, amount: int) -> None:
        """Add to what is derived from payments, also for callers who may not edit accounts."""
        with unchecked():
            self.update(account, {"balance": account.balance + amount, "points": account.points + 1})


class Contracts(Crud):
    model = Contract
    access = {**OWN, **dict.fromkeys(("list", "get"), permission("bank.contract.read", owner="owner_key"))}


class Parcels(Crud):
    model = Parcel
    access = dict.fromkeys(("list", "get", "create", "update", "delete"), permission("bank.parcel.edit"))

    def select(self) -> sa.Select[Any]:
        return super().select().where(Parcel.branch == identity().name)


accounts, contracts, parcels = Accounts(), Contracts(), Parcels()

bp = Blueprint("bank", __name__, url_prefix="/bank")
v1 = Blueprint("v1", __name__, url_prefix="/api/v1")


class AccountPages(Pages):
    verbs = accounts
    form = model_form(Account, only=("name", "contract", "contracts", "points"))
    columns = ("name",)


class ContractPages(Pages):
    verbs = contracts
    form = model_form(Contract)
    columns = ("name",)


class ParcelPages(Pages):
    verbs = parcels
    form = model_form(Parcel)
    columns = ("name",)


class AccountSchema(ModelSchema):
    class Meta:
        model = Account
        fields = ("id", "name", "approved", "balance", "memo", "verdict", "contract_id", "version")


class AccountResource(ModelResource):
    verbs = accounts
    schema = AccountSchema


for pages, url in ((AccountPages, "/accounts"), (ContractPages, "/contracts"), (ParcelPages, "/parcels")):
    pages.register(bp, url)
AccountResource.register(Api(v1), "/accounts")
bp.register_blueprint(v1)


def set_by_staff(key: int, model: type[Any] = Account, **values: Any) -> Any:
    """Set what no face sets, as a command of the bank does."""
    item = db.session.get_one(model, key)
    for name, value in values.items():
        setattr(item, name, value)
    db.session.flush()
    return item
