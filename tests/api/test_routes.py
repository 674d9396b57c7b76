from flask.testing import FlaskClient


def test_page_names_whose_data_it_is(visitor: FlaskClient):
    page = visitor.get("/api/").text
    assert 'href="https://www.geonames.org/"' in page
    assert 'href="https://creativecommons.org/licenses/by/4.0/"' in page


def test_page_calls_this_host(visitor: FlaskClient):
    page = visitor.get("/api/", headers={"Host": "places.localhost"}).text
    assert "curl &#39;http://places.localhost/api/v1/cities&#39;" in page or (
        "curl 'http://places.localhost/api/v1/cities'" in page
    )
