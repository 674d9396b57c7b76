# Andamio in a container: `docker build -t andamio .`
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS packages
WORKDIR /srv/andamio
COPY requirements.txt ./
# Each package is held to the hash that was pinned.
RUN python3 -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM ${BASE}
WORKDIR /srv/andamio
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --home-dir /srv/andamio --shell /usr/sbin/nologin app \
    && install -d -o app -g app -m 0750 instance
COPY --from=packages /srv/andamio/.venv .venv
COPY . .
RUN .venv/bin/python -m compileall -q app core serving ./*.py
ENV PATH=/srv/andamio/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    APP_ENV=production \
    PORT=8000 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Any answer but a server error is a sign of life, also where the module of health is not installed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python3", "-c", "import http.client, os, sys; \
asked = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); \
asked.request('GET', os.environ.get('SCRIPT_NAME', '') + '/health/live'); sys.exit(asked.getresponse().status >= 500)"]
CMD ["gunicorn", "run:app"]
