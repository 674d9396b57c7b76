"""The parts of the platform: constants, the same in every deployment."""

#: The modules, each below what it may import: a module may use only those listed above it.
INSTALLED_APPS = [
    # platform
    "app.bulk",
    "app.dialects",
    "app.home",
    "app.languages",
    "app.health",
    "app.outages",
    "app.doctor",
    "app.accounts",
    "app.monitoring",
    "app.history",
    "app.jsonrpc",
    "app.apidocs",
    "app.cors",
    "app.limits",
    "app.deprecation",
    "app.uploads",
    "app.development",
    # operations
    "app.about",
    "app.backups",
    "app.db",
    "app.deploy",
    "app.maintenance",
    "app.messages",
    "app.revisions",
    "app.secret",
    "app.transfer",
    # demos
    "app.example",
    "app.api",
    "app.events",
]

#: The name in the navigation bar and in page titles.
SITE_NAME = "Andamio"

#: The languages of pages, mails and errors, each by its name in itself, as visitors choose it.
LANGUAGES = {"en": "English", "es": "Español", "ru": "Русский"}

#: The one of a visitor who asks for none of these.
LANGUAGE = "en"

#: Contact for the API, in its document (OpenAPI's Contact Object).
API_CONTACT = {"name": "The Andamio authors"}

#: Rows on a page of a list, unless the view says otherwise.
PAGE_SIZE = 20

#: Rows that a list may be asked for at once.
MAX_PAGE_SIZE = 100

#: Rows that may be skipped by page number; what lies deeper is reached by cursor.
MAX_OFFSET = 10_000

#: Rows counted for "page 3 of 12"; a longer list says "over 10,000" instead of reading on.
MAX_COUNT = 10_000

#: The answer to a request with an `Idempotency-Key` is repeated for so many hours; after them the key counts as new.
IDEMPOTENCY_KEY_HOURS = 24

#: Operations of one bulk call, unless the resource says otherwise.
MAX_OPERATIONS = 100
