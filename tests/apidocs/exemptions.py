"""Exemptions from schemathesis's findings: the rules that no JSON Schema can say.

It is loaded by schemathesis as its hooks. Each exemption is as narrow as its rule.
"""

import re
import uuid
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

import schemathesis
from schemathesis import Case
from schemathesis import HookContext
from schemathesis import Response
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import MissingHeaderNotRejected
from schemathesis.openapi.checks import RejectedPositiveData

#: Beginnings of what is said of a value that is right in itself.
OF_OTHERS = (
    "There is no ",
    "Another ",
    "The key of a row cannot be changed.",
    "The data breaks a rule of its table.",
    "It breaks the rule",
    "No address can name ",
    "A row cannot point to itself here.",
    # In JSON Schema 12.0 is an integer.
    "Not a valid integer.",
    # After so many errors no more are listed.
    "And ",
    # All parameters count together.
    "The filters of a list take at most ",
    "A list takes at most ",
)


#: Idempotency keys that the server takes, and those that it has had.
VALID_KEY = re.compile(r"[!#-\[\]-~]{1,255}")
SENT_KEYS: set[str] = set()


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Send no idempotency key twice: the answer would be that of an earlier request, whatever came after it."""
    key = str((case.headers or {}).get("Idempotency-Key", "")).strip('"')
    if key in SENT_KEYS:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    elif VALID_KEY.fullmatch(key):
        SENT_KEYS.add(key)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Keep what is a failure."""
    if isinstance(failure, RejectedPositiveData):
        return not depends_on_others(case, response)
    if isinstance(failure, AcceptedNegativeData):
        return not (has_empty_parameter(response) or is_refused_in_bulk(case, response))
    if isinstance(failure, MissingHeaderNotRejected):
        return not was_sent(failure.header_name, response)
    return True


def was_sent(header: str, response: Response) -> bool:
    """Return whether a header was sent all the same: `--header` adds the token to every request.

    Those that are made without it, or with another one, are made by the check `ignored_auth`.
    """
    return header in response.request.headers


def depends_on_others(case: Case, response: Response) -> bool:
    """Return whether a request is refused for what the schema of no single value can know."""
    problem = response.json()
    # An ETag was made up, or a key for another body.
    if response.status_code == 412 or problem.get("type") == "/problems/idempotency-key-reused":
        return True
    # schemathesis takes the quotes of an ETag for those of a JSON text, and sends what is within.
    if problem.get("detail", "").startswith("If-Match is no list of ETags"):
        return True
    # In JSON Schema 1.0 is an integer, for the id of a call as well.
    if isinstance(case.body, dict) and "jsonrpc" in case.body and isinstance(case.body.get("id"), float):
        return True
    errors = problem.get("errors", [])
    return bool(errors) and all(is_about_others(error, case) for error in errors)


def is_about_others(error: dict[str, Any], case: Case) -> bool:
    """Return whether an error is about the rows that there are, or about several values at once."""
    # A cursor was made up or given with a page; a page lies too deep for the limit.
    if error.get("parameter") in ("cursor", "page"):
        return True
    if error.get("parameter") == "sort":
        names = [name.removeprefix("-") for name in (case.query or {})["sort"]]
        return len(set(names)) < len(names)
    return bool(error["message"].startswith(OF_OTHERS))


def has_empty_parameter(response: Response) -> bool:
    """Return whether a parameter was sent without a value, as an empty object is: that is the same as none."""
    sent = parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True)
    return any(not value for _, value in sent)


def is_refused_in_bulk(case: Case, response: Response) -> bool:
    """Return whether an operation of a bulk was refused: that is said in its own result."""
    results = response.json().get("results", []) if case.path.endswith(":bulk") else []
    return any(result["status"] >= 400 for result in results)
