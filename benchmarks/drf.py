"""The places in Django REST framework: a ModelViewSet with the same fields over the same tables.

Set as fast as its documentation allows: no middleware, no authentication, no permissions, JSON only, one
connection kept open by each worker with prepared statements, and a country's code as plain text, so
that no query is spent on the country.
"""

import os
import secrets
import unicodedata

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from psycopg import conninfo

SERVER = conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])

settings.configure(
    DEBUG=False,
    SECRET_KEY=secrets.token_urlsafe(48),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=[],
    USE_I18N=False,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": SERVER.get("dbname", ""),
            "USER": SERVER.get("user", ""),
            "PASSWORD": SERVER.get("password", ""),
            "HOST": SERVER.get("host", ""),
            "PORT": str(SERVER.get("port", "")),
            "CONN_MAX_AGE": None,
            # DRF's cursor asks for more than the population; prepared it is planned once.
            "OPTIONS": {"server_side_binding": True, "prepare_threshold": 5},
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.validators import MaxValueValidator  # noqa: E402 - models need the settings above
from django.core.validators import MinValueValidator  # noqa: E402
from django.db import models  # noqa: E402
from rest_framework.pagination import CursorPagination  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework.serializers import ModelSerializer  # noqa: E402
from rest_framework.viewsets import ModelViewSet  # noqa: E402


class City(models.Model):
    """A city, in Andamio's table."""

    name = models.CharField(max_length=200)
    search_name = models.CharField(max_length=200)
    country_code = models.CharField(max_length=2)
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


class CitySerializer(ModelSerializer):
    """What is shown and taken in."""

    class Meta:
        model = City
        exclude = ["search_name"]
        read_only_fields = ["version"]


class Pagination(CursorPagination):
    """Fifty a page by cursor, the largest first."""

    page_size = 50
    ordering = ("-population", "-id")


class CityViewSet(ModelViewSet):
    """All verbs."""

    queryset = City.objects.all()
    serializer_class = CitySerializer
    pagination_class = Pagination

    def perform_create(self, serializer: CitySerializer) -> None:
        """Fill the column that is searched."""
        apart = unicodedata.normalize("NFKD", serializer.validated_data["name"])
        plain = "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
        serializer.save(search_name=plain[:200])


router = SimpleRouter(trailing_slash=False)
router.register("api/v1/cities", CityViewSet)
urlpatterns = router.urls

app = get_wsgi_application()
