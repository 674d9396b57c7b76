"""The pages of the history: all changes, those of one row, and the question before one is taken back."""

from collections.abc import Mapping
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import timedelta
from typing import Any

from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask_babel import gettext
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from core.access import SIGNED_IN
from core.access import access
from core.access import require
from core.crud import Crud
from core.crud import Page
from core.crud import transaction
from core.crud.consequences import EFFECTS
from core.crud.consequences import consequences
from core.exceptions import BadQuery
from core.exceptions import NotFound
from core.http.links import cursor_urls
from core.http.links import query_url
from core.http.links import single_args
from core.pages.model_pages import page_of

from . import bp
from . import rights
from . import undos
from .bounds import SHOWN_CHARACTERS
from .changes import READ
from .changes import changes
from .changes import row_changes
from .differences import Entry
from .differences import describe_changes
from .differences import steps
from .labels import label_of
from .labels import noun_of
from .models import Change
from .parts import read_part
from .plans import Plan
from .recorders import plans_of

Answer = str | Response | tuple[str, int]


@bp.get("/")
@access(READ)
def index() -> Response:
    """Redirect to all changes."""
    return redirect(url_for(".change_list"))


@bp.get("/changes")
@access(READ)
def change_list() -> Answer:
    """Show all changes, the newest first; with 400 and the form if the question is wrong."""
    nouns = sorted((plan.table, noun_of(plan, plan.table)) for plan in plans_of().values())
    try:
        asked = single_args()
        page = changes.list(changes.listing.parse(_query(asked)))
    except BadQuery as error:
        return _list("list", None, errors=error.errors, nouns=nouns), 400
    return _list("list", page, errors={}, nouns=nouns)


@bp.get("/rows/<table>/<key>")
@access(SIGNED_IN)
def row(table: str, key: str) -> Answer:
    """Show what has happened to one row; what is gone has a history as well."""
    plan = _plan(table)
    subject = _subject(plan, key)
    cursor = {name: text for name, text in single_args().items() if name == "cursor"}
    page = row_changes.list(row_changes.listing.parse({**cursor, "model": table, "row_key": key}))
    item = subject if isinstance(subject, plan.mapper.class_) else None
    may_undo = {verb: undos.may_undo(plan, verb, item) for verb in undos.REVERSE}
    return _list("row", page, noun=noun_of(plan, table), key=key, may_undo=may_undo)


@bp.get("/changes/<key>")
@access(SIGNED_IN)
def change(key: str) -> Answer:
    """Show one change, with more of long values."""
    found = _change(key)
    (entry,) = describe_changes([found], undos.undone_by([found]), SHOWN_CHARACTERS)
    return render_template("history/change.html", entry=entry)


@bp.get("/changes/<key>/<any(before, after):side>/<name>")
@access(SIGNED_IN)
def value(key: str, side: str, name: str) -> Answer:
    """Show the whole of one value, a part at a time."""
    found = _change(key)
    number = _part(single_args())
    part = read_part(found, side, name, number)
    if part is None:
        raise NotFound(gettext("Change %(key)s has recorded no such value.", key=key))
    (entry,) = describe_changes([found], undos.undone_by([found]))
    links = {"previous": number - 1, "next": number + 1 if part.more else 0}
    urls = {rel: query_url(part=place) for rel, place in links.items() if place}
    return render_template("history/value.html", entry=entry, part=part, side=side, number=number, links=urls)


@bp.route("/changes/<key>/undo", methods=["GET", "POST"])
@access(SIGNED_IN)
def undo(key: str) -> Answer:
    """Ask whether to take a change back, or take it back."""
    change = row_changes.get(key)
    plan = _plan(change.model)
    _subject(plan, change.row_key)
    problems: tuple[str, ...] = ()
    if request.method == "POST":
        try:
            return _take_back(plan, change)
        except undos.Refused as refused:
            # The rows that were read are gone with the transaction.
            problems, change = refused.reasons, row_changes.get(key)
    found = undos.prepare(plan, change)
    found.require()
    (entry,) = describe_changes([change], undos.undone_by([change]), SHOWN_CHARACTERS)
    back, later = steps(found)
    faults = [*problems, *(fault for fault in found.faults if fault not in problems)]
    left = [(label_of(plan, name), reason) for name, reason in found.left.items()]
    effects = _effects(found)
    context = {"entry": entry, "undo": found, "faults": faults, "back": back, "later": later, "left": left}
    return render_template("history/undo.html", **context, effects=effects), 409 if problems else 200


def _take_back(plan: Plan, change: Change) -> Response:
    """Take a change back, and redirect to what came of it."""
    table, key = change.model, change.row_key
    with transaction():
        found = undos.prepare(plan, change, lock=True)
        item = undos.run(found, _version(found), partly="partly" in request.form)
        target = None if item is None else page_of(item)
        left = _left(found)
    flash(gettext("The change was taken back.%(left)s", left=left), "success")
    return redirect(target or url_for(".row", table=table, key=key), 303)


# --- parts --------------------------------------------------------------------------------------


def _change(key: str) -> Change:
    """Return a change that the current identity may see.

    :raises NotFound: if there is none, or its row does not exist for them
    :raises Forbidden: if they may not
    """
    found: Change = row_changes.get(key)
    known = [plan for plan in plans_of().values() if plan.table == found.model]
    for plan in known:
        _subject(plan, found.row_key)
    if not known:
        require(READ)
    return found


def _part(args: Mapping[str, str]) -> int:
    """Read which part of a value is asked for.

    :raises BadQuery: if it is no number
    """
    text = args.get("part", "1")
    unknown = {name: [gettext("This page knows part only.")] for name in args if name != "part"}
    if unknown or not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < 1:
        raise BadQuery(unknown or {"part": [gettext("Not a part: write 1, 2, 3 …")]})
    return int(text)


def _query(asked: Mapping[str, str]) -> dict[str, str]:
    """Bring what the form of the page asks into the words of the list.

    :raises BadQuery: if the day is none
    """
    found = {name: text for name, text in asked.items() if name not in ("actor", "day") and text}
    if asked.get("actor"):
        found["actor_name__startswith"] = asked["actor"]
    if asked.get("day"):
        try:
            day = datetime.combine(date.fromisoformat(asked["day"]), datetime.min.time(), UTC)
            end = day + timedelta(days=1)
        except (ValueError, OverflowError):
            raise BadQuery({"day": [gettext("Not a day: write 2026-01-31.")]}) from None
        found |= {"at__gte": day.isoformat(), "at__lt": end.isoformat()}
    return found


def _list(template: str, page: Page | None, **context: Any) -> str:
    """Render a page of changes, each in words."""
    entries: list[Entry] = [] if page is None else describe_changes(page.items, undos.undone_by(page.items))
    places = {} if page is None else {"next": page.next, "previous": page.previous}
    links = cursor_urls({name: cursor for name, cursor in places.items() if cursor})
    return render_template(f"history/{template}.html", page=page, entries=entries, links=links, **context)


def _effects(found: undos.Undo) -> dict[str, list[str]]:
    """Return what an undo that deletes a row does to other rows, in words."""
    if not found.is_possible or found.verb != "delete" or found.verbs is None:
        return {}
    # Verbs that delete in a way of their own may leave everything else as it is.
    reached = consequences(found.item) if type(found.verbs.verbs).delete is Crud.delete else []
    return {effect: [str(one) for one in reached if one.effect == effect] for effect in EFFECTS}


def _left(found: undos.Undo) -> str:
    """Return a sentence about what an undo has left as it was."""
    labels = [label_of(found.plan, name) for name in (*found.later, *found.left) if found.shows(name)]
    if found.left_unseen:
        labels.append(gettext("values that you may not read"))
    return " " + gettext("Left as it is: %(names)s.", names=", ".join(labels)) if labels else ""


def _plan(table: str) -> Plan:
    """Return the plan of a table.

    :raises NotFound: if none of its rows are recorded
    """
    for plan in plans_of().values():
        if plan.table == table:
            return plan
    raise NotFound(gettext("There is no history of %(table)s.", table=table))


def _subject(plan: Plan, key: str) -> Any:
    """Return a row, or what is known of one that is gone, if its history may be seen.

    :raises Forbidden: if the current identity may not
    """
    found = rights.subject(plan, key)
    rights.require_sight(plan.mapper.class_, found)
    return found


def _version(found: undos.Undo) -> int | None:
    """Read which version of the row the page was made from."""
    if found.version is None:
        return None
    text = request.form.get("version", "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest(gettext("The form does not say which version of the row it was made from: load it again."))
    return int(text)
