from app.apidocs import api
from app.apidocs import documents


def test_document_is_served(sqlite_client, document):
    answer = sqlite_client.get("/openapi.json")

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == document


def test_document_is_not_sent_twice(sqlite_client):
    etag = sqlite_client.get("/openapi.json").headers["ETag"]
    answer = sqlite_client.get("/openapi.json", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.data) == (304, b"")


def test_document_names_mount_path(sqlite_client):
    answer = sqlite_client.get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/platform"})

    assert answer.json["servers"] == [{"url": "/platform"}]
    assert sqlite_client.get("/openapi.json").json["servers"] == [{"url": "/"}]


def test_applications_have_their_own_documents(make_app):
    small, large = make_app(None, ["app.apidocs"]), make_app()

    assert set(small.test_client().get("/openapi.json").json["paths"]) == {"/openapi.json"}
    assert large.test_client().get("/openapi.json").json == documents.build(large)


def test_page_lists_operations_without_script(sqlite_client, document):
    page = sqlite_client.get("/docs").text

    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page


def test_page_is_in_the_menu(sqlite_client):
    assert 'href="/docs"' in sqlite_client.get("/docs").text


def test_swagger_files_cached_by_browsers(sqlite_client):
    answer = sqlite_client.get("/docs/swagger-ui/swagger-ui.css?v=1")

    assert answer.mimetype == "text/css"
    assert "31536000" in answer.headers["Cache-Control"]
    answer.close()
    assert sqlite_client.get("/docs/swagger-ui/../__init__.py").status_code == 404


def test_document_readable_from_other_sites(make_app):
    client = make_app(None, None, CORS_ORIGINS=["https://shop.example.org"]).test_client()
    answer = client.get("/openapi.json", headers={"Origin": "https://shop.example.org"})

    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example.org"
    assert client.post("/openapi.json").mimetype == "application/problem+json"


def test_document_cached_for_few_roots(app):
    client = app.test_client()
    for number in range(2 * api.MOST_KEPT):
        answer = client.get("/openapi.json", base_url=f"http://localhost/mounted{number}")
        assert answer.json["servers"] == [{"url": f"/mounted{number}"}]

    assert len(app.extensions["apidocs"].served) <= api.MOST_KEPT
