"""The places in Django REST framework: a ModelViewSet with the same fields over the same tables.

Set as fast as its documentation allows: no middleware, JSON only, one connection kept open by each worker with
prepared statements, and a country's code as plain text where it is not asked for, so that no query is spent on the
country. Who adds a place sends a token, which its own ``TokenAuthentication`` looks up in its own tables.

With STARTPROJECT=1 it is set as ``django-admin startproject`` and an empty ``REST_FRAMEWORK`` leave it, but for the
database: seven middlewares, sessions and users, the browsable API beside JSON, a connection for each request.
"""

import os
import secrets
import time
import unicodedata
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from psycopg import conninfo

SERVER = conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])

DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": SERVER.get("dbname", ""),
    "USER": SERVER.get("user", ""),
    "PASSWORD": SERVER.get("password", ""),
    "HOST": SERVER.get("host", ""),
    "PORT": str(SERVER.get("port", "")),
}

FASTEST = {
    "INSTALLED_APPS": [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    "MIDDLEWARE": [],
    "USE_I18N": False,
    # DRF's cursor asks for more than the population; prepared it is planned once.
    "DATABASES": {
        "default": {
            **DATABASE,
            "CONN_MAX_AGE": None,
            "OPTIONS": {"server_side_binding": True, "prepare_threshold": 5},
        }
    },
    "REST_FRAMEWORK": {
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
}

#: Settings of Django 5.2's template of a project.
AS_STARTED = {
    "INSTALLED_APPS": [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    "MIDDLEWARE": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    "USE_I18N": True,
    "DATABASES": {"default": DATABASE},
}

settings.configure(
    DEBUG=False,
    SECRET_KEY=secrets.token_urlsafe(48),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    **(AS_STARTED if os.environ.get("STARTPROJECT") else FASTEST),
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models need the settings above
from django.core.management import call_command  # noqa: E402
from django.core.validators import MaxValueValidator  # noqa: E402
from django.core.validators import MinValueValidator  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from rest_framework.pagination import CursorPagination  # noqa: E402
from rest_framework.permissions import IsAuthenticatedOrReadOnly  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework.serializers import CharField  # noqa: E402
from rest_framework.serializers import ModelSerializer  # noqa: E402
from rest_framework.serializers import UUIDField  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework.viewsets import ModelViewSet  # noqa: E402


class Country(models.Model):
    """A country, in Andamio's table."""

    code = models.CharField(max_length=2, primary_key=True)
    iso3 = models.CharField(max_length=3)
    name = models.CharField(max_length=100)
    capital = models.CharField(max_length=100, null=True)
    continent = models.CharField(max_length=2)
    population = models.BigIntegerField()
    area_km2 = models.IntegerField()
    currency_code = models.CharField(max_length=3, null=True)

    class Meta:
        app_label = "places"
        db_table = "api_country"
        managed = False


class City(models.Model):
    """A city, in Andamio's table."""

    name = models.CharField(max_length=200)
    search_name = models.CharField(max_length=200)
    country = models.ForeignKey(Country, models.DO_NOTHING, db_column="country_code")
    admin1_code = models.CharField(max_length=20, null=True, blank=True)
    latitude = models.FloatField(validators=[MinValueValidator(-90), MaxValueValidator(90)])
    longitude = models.FloatField(validators=[MinValueValidator(-180), MaxValueValidator(180)])
    population = models.IntegerField(default=0, validators=[MinValueValidator(0)])
    timezone = models.CharField(max_length=40)
    version = models.IntegerField(default=1)

    class Meta:
        app_label = "places"
        db_table = "api_city"
        managed = False


class CountrySerializer(ModelSerializer):
    """A country's fields."""

    class Meta:
        model = Country
        fields = "__all__"


class CitySerializer(ModelSerializer):
    """A city's fields."""

    country_code = CharField(max_length=2, source="country_id")

    class Meta:
        model = City
        exclude = ["search_name", "country"]
        read_only_fields = ["version"]

    def __init__(self, *args: Any, only: list[str] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        # As the documentation has it: "Dynamically modifying fields".
        for name in set(self.fields) - set(only or self.fields):
            self.fields.pop(name)


class CityOfCountrySerializer(CitySerializer):
    """The same with its country."""

    country = CountrySerializer(read_only=True)

    class Meta(CitySerializer.Meta):
        exclude = ["search_name"]


class Event(models.Model):
    """An event, in Andamio's table."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=20, choices=[("page", "page"), ("product", "product")])
    name = models.CharField(max_length=60)
    subject = models.CharField(max_length=255)
    visitor = models.CharField(max_length=64, null=True)
    value = models.FloatField(null=True)
    occurred_at = models.BigIntegerField()
    received_at = models.BigIntegerField()

    class Meta:
        app_label = "places"
        db_table = "events_event"
        managed = False


class EventSerializer(ModelSerializer):
    """An event's fields."""

    # Without the validator that looks the id up before: what is there already is no error.
    id = UUIDField()

    class Meta:
        model = Event
        exclude = ["occurred_at", "received_at"]


class Pagination(CursorPagination):
    """Fifty a page by cursor, the largest first."""

    page_size = 50
    ordering = ("-population", "-id")


class CityViewSet(ModelViewSet):
    """All verbs; who changes something sends a token."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticatedOrReadOnly]
    queryset = City.objects.all()
    serializer_class = CitySerializer
    pagination_class = Pagination

    def get_queryset(self) -> "models.QuerySet[City]":
        """Read what is asked for, in one statement."""
        if "include" in self.request.query_params:
            return City.objects.select_related("country")
        fields = self.request.query_params.get("fields")
        return City.objects.only(*fields.split(","), "population") if fields else City.objects.all()

    def get_serializer(self, *args: Any, **options: Any) -> CitySerializer:
        """Show what is asked for."""
        options["context"] = self.get_serializer_context()
        if "include" in self.request.query_params:
            return CityOfCountrySerializer(*args, **options)
        fields = self.request.query_params.get("fields")
        return CitySerializer(*args, only=fields.split(",") if fields else None, **options)

    def perform_create(self, serializer: CitySerializer) -> None:
        """Fill the column that is searched."""
        apart = unicodedata.normalize("NFKD", serializer.validated_data["name"])
        plain = "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
        serializer.save(search_name=plain[:200])


class EventView(APIView):
    """Events come in."""

    def post(self, request: Request) -> Response:
        """Store an event that is not known yet."""
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = time.time_ns() // 1000
        Event.objects.bulk_create(
            [Event(**serializer.validated_data, occurred_at=now, received_at=now)], ignore_conflicts=True
        )
        return Response({"received": 1})


router = SimpleRouter(trailing_slash=False)
router.register("api/v1/cities", CityViewSet)
urlpatterns = [*router.urls, path("events", EventView.as_view())]

call_command("migrate", verbosity=0, interactive=False)
Token.objects.get_or_create(user=User.objects.get_or_create(username="benchmark")[0])

app = get_wsgi_application()
