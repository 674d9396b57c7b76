"""Faults: a module that is slow, that fails, and that counts something of its own."""

import os
import time

from flask import Blueprint
from flask import request
from prometheus_client import Counter
from sqlalchemy import text

from core.access import PUBLIC
from core.data import cursors
from core.declarations import declare
from services import db

COUNTED = Counter("faulty_counted", "What a module counts itself.")

bp = Blueprint("faulty", __name__, url_prefix="/faulty")
declare(bp, "policy", PUBLIC)


@bp.get("/count")
def count() -> str:
    COUNTED.inc()
    return str(os.getpid())


@bp.get("/slow")
def slow() -> str:
    time.sleep(float(request.args.get("seconds", "0.3")))
    return "slow"


@bp.get("/sql")
def sql() -> str:
    db.session.execute(text("SELECT 1 WHERE 1 = :one"), {"one": 1})
    return str(cursors.read("SELECT 2 AS two"))


@bp.get("/boom")
def boom() -> str:
    raise ValueError("password=hunter2")


@bp.get("/link/<token>")
def link(token: str) -> str:
    raise ValueError("link")


@bp.get("/lost")
def lost() -> str:
    db.session.execute(text("SELECT nowhere FROM"))
    return ""
