"""Measure how long the application needs to start, and what a request costs, with few modules and with many.

The modules are generated: each has a model of eight columns, a form, a schema, pages (five routes), a REST API
(two) and three routes of its own.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "generated"
STARTS = 7
ROUNDS = 60
REQUESTS = 200

START = "import sys; from core.factory import create_app; create_app(installed_apps=sys.argv[1:])"

FILES = {
    "__init__.py": '''
"""A module among many."""

from flask import Blueprint

from . import api

bp = Blueprint("{label}", __name__, url_prefix="/{label}")
bp.register_blueprint(api.v1)

from . import routes
''',
    "models.py": """
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.data.models import Money
from core.data.models import Versioned
from services import db


class {name}(Versioned, db.Model):
    __tablename__ = "{label}_thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    notes: Mapped[str | None] = mapped_column(sa.Text)
    price: Mapped[Decimal] = mapped_column(Money(10, 2), info={{"min": 0}})
    stock: Mapped[int] = mapped_column(default=0)
    since: Mapped[date | None]
    live: Mapped[bool] = mapped_column(default=False)
""",
    "things.py": """
from core.crud import Crud

from .models import {name}


class Things(Crud):
    model = {name}
    search = ("name",)
    filters = {{"price": ("gte", "lte"), "live": ("eq",)}}
    sorts = ("name", "price")
    order = ("name",)


things = Things()
""",
    "forms.py": """
from core.forms import model_form

from .models import {name}

ThingForm = model_form({name})
""",
    "schemas.py": """
from core.fields.schemas import ModelSchema

from .models import {name}


class ThingSchema(ModelSchema):
    class Meta:
        model = {name}
""",
    "api.py": """
from flask import Blueprint

from core.rest import Api
from core.rest import ModelResource

from . import schemas
from . import things

v1 = Blueprint("v1", __name__, url_prefix="/v1")
api = Api(v1)


class Things(ModelResource):
    verbs = things.things
    schema = schemas.ThingSchema


Things.register(api, "/things")
""",
    "routes.py": """
from core.pages import Pages

from . import bp
from . import forms
from .things import things


class ThingPages(Pages):
    verbs = things
    form = forms.ThingForm
    columns = ("name", "price", "stock")


ThingPages.register(bp, "/things")


@bp.get("/")
def index():
    return "index"


@bp.get("/about")
def about():
    return "about"


@bp.get("/numbers/<int:number>")
def number(number):
    return str(number)
""",
}


def measure(environ: Mapping[str, str]) -> str:
    """Return the table of the starts, and of a request with few and with many modules.

    :param environ: that of the servers
    """
    own = list(settings.INSTALLED_APPS)
    with tempfile.TemporaryDirectory() as folder:
        many = generate(Path(folder, PACKAGE), 100)
        environ = {**environ, "PYTHONPATH": os.pathsep.join([str(ROOT), folder])}
        sizes = [own, own + many[:5], own + many]
        starts = start_times(sizes, environ)
        requests = request_times(sizes, environ)
    lines = ["| modules | start | of it CPU | CPU of `/status` | of that with the fewest |", "|--:|--:|--:|--:|--:|"]
    for names, took, costs in zip(sizes, starts, requests, strict=True):
        ratios = [cost / first for cost, first in zip(costs, requests[0], strict=True)]
        wall, cpu = median(took_wall for took_wall, _ in took), median(took_cpu for _, took_cpu in took)
        cells = [f"{wall:.2f} s", f"{cpu:.2f} s", f"{median(costs):.0f} µs", f"{median(ratios):.3f}"]
        lines.append(f"| {len(names)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def generate(folder: Path, count: int) -> list[str]:
    """Write a package of modules.

    :return: their dotted names
    """
    names = [f"m{number:03}" for number in range(count)]
    for label in names:
        (folder / label).mkdir(parents=True)
        for file, text in FILES.items():
            (folder / label / file).write_text(text.lstrip().format(label=label, name=f"Thing{label[1:]}"))
    (folder / "__init__.py").touch()
    return [f"{folder.name}.{label}" for label in names]


def start_times(sizes: Sequence[Sequence[str]], environ: Mapping[str, str]) -> list[list[tuple[float, float]]]:
    """Start processes that make the application and end; the first of each compiles and does not count.

    :return: for each size its starts as (seconds, seconds of CPU)
    """
    found: list[list[tuple[float, float]]] = [[] for _ in sizes]
    for _ in range(STARTS + 1):
        for names, times in zip(sizes, found, strict=True):
            times.append(start_time(names, environ))
    return [times[1:] for times in found]


def start_time(names: Sequence[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """Measure one start.

    :return: (seconds, seconds of CPU)
    """
    before = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", START, *names], cwd=ROOT, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the application with {len(names)} modules does not start: see above")
    return wall, usage.ru_utime + usage.ru_stime


def request_times(sizes: Sequence[Sequence[str]], environ: Mapping[str, str]) -> list[list[float]]:
    """Ask applications of all sizes in turn.

    :return: for each size the CPU time of a request in each round, in microseconds
    """
    with children(sizes, environ) as running:
        for process in running:
            ask(process)
        rounds = [[ask(process) for process in running] for _ in range(ROUNDS)]
    return [list(times) for times in zip(*rounds, strict=True)]


@contextmanager
def children(sizes: Sequence[Sequence[str]], environ: Mapping[str, str]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Run ``ask.py`` for each size, and end all of them behind."""
    pipe = subprocess.PIPE
    commands = [[sys.executable, "-m", "benchmarks.ask", *names] for names in sizes]
    running = [subprocess.Popen(c, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, text=True) for c in commands]
    try:
        yield running
    finally:
        for process in running:
            process.communicate()


def ask(process: "subprocess.Popen[str]") -> float:
    """Let one of the applications answer some requests.

    :return: the CPU time of one, in microseconds
    """
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(f"{REQUESTS}\n")
    process.stdin.flush()
    return float(process.stdout.readline())
