"""A real nginx, with TLS, before a real gunicorn: how the platform is served. No pytest here."""

import datetime
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from tests.servers import START_SECONDS
from tests.servers import Missing
from tests.servers import children

ROOT = Path(__file__).resolve().parent.parent

#: Around the rendered site: what Debian's own nginx.conf says, without its paths.
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/sites/*;
}}
"""


@dataclass
class Answer:
    """An answer as it came over the wire.

    :param headers: by their names in lower case; several of one name are joined
    :param cookies: each as it is set
    """

    status: int
    headers: dict[str, str]
    text: str
    cookies: list[str]


class NginxSite:
    """A site that is served: ask it through nginx, or gunicorn behind it."""

    def __init__(self, application: str, environ: Mapping[str, str], *options: str) -> None:
        """Start both.

        :param application: what gunicorn serves, ``run:app``
        :param options: of ``flask deploy render``
        :raises Missing: if nginx is not installed
        """
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if not program:
            raise Missing("nginx is missing: apt install nginx")
        self.folder = Path(tempfile.mkdtemp(prefix="andamio-front-"))
        self.http, self.https, self.upstream = free_port(), free_port(), free_port()
        self.certificate = make_certificate(self.folder)
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder))
        self._render(application, environ, options)
        bind = ["--bind", f"127.0.0.1:{self.upstream}", "--no-control-socket", "--log-level", "error"]
        gunicorn = [sys.executable, "-m", "gunicorn", *bind, application]
        nginx = [program, "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder), "-e", "stderr"]
        self._log = open(self.folder / "log", "wb")  # noqa: SIM115
        self._processes = [self._run(gunicorn, environ), self._run(nginx, {})]
        try:
            for process, port in zip(self._processes, (self.upstream, self.https), strict=True):
                self._wait(process, port)
        except Missing:
            self.stop()
            raise

    def _render(self, application: str, environ: Mapping[str, str], more: tuple[str, ...]) -> None:
        """Render the site as an operator does, then bring it to these ports and this folder."""
        options = {"root": ROOT, "http-port": self.http, "https-port": self.https}
        options |= {"upstream": f"127.0.0.1:{self.upstream}"}
        options |= {"certificate": self.certificate, "key": self.folder / "key.pem", "webroot": self.folder}
        words = [f"--{name}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "flask", "--app", application, "deploy", "render", self.folder, *words, *more]
        environ = {"PATH": os.environ["PATH"], **environ}
        made = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_SECONDS)
        if made.returncode:
            raise RuntimeError(f"The site cannot be rendered:\n{made.stderr}")
        (self.folder / "sites").mkdir()
        (self.folder / "sites" / "andamio").write_text(self._placed("andamio"))

    def _placed(self, name: str) -> str:
        text = (self.folder / "server/etc/nginx/sites-available" / name).read_text()
        text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.M)
        text = re.sub(r"\blisten (\d+)", r"listen 127.0.0.1:\1", text)
        pages = self.folder / "server/var/www" / name
        return text.replace(f"/var/www/{name}/", f"{pages}/").replace(f"/var/log/{name}/", f"{self.folder}/")

    def _run(self, command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        path = {"PATH": "/usr/bin:/bin:/usr/sbin"}
        # A group of its own: what has to be killed is killed with its workers.
        options = {"stdout": self._log, "stderr": self._log, "start_new_session": True}
        return subprocess.Popen(command, cwd=ROOT, env={**path, **environ}, **options)

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise Missing(f"{process.args!r} does not start:\n{self.log()}")

    @property
    def workers(self) -> list[int]:
        """The processes of gunicorn's workers."""
        return children(self._processes[0].pid)

    def log(self) -> str:
        """Return what both have said."""
        return (self.folder / "log").read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return what nginx has written into its log of requests."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def stop_upstream(self) -> None:
        """End gunicorn; nginx is left alone."""
        _end(self._processes[0])

    def stop(self) -> None:
        """End both, and wait until they have ended."""
        for process in self._processes:
            _end(process)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
        *,
        source: str = "127.0.0.1",
    ) -> Answer:
        """Ask through nginx, by https; the certificate is checked.

        :param source: the address from which to ask; a whole network is this machine's own
        """
        context = ssl.create_default_context(cafile=self.certificate)
        connection = http.client.HTTPSConnection(
            "localhost", self.https, timeout=30, context=context, source_address=(source, 0)
        )
        return _ask(connection, path, headers, method, body)

    def ask_by_http(self, path: str) -> Answer:
        """Ask nginx without TLS."""
        return _ask(http.client.HTTPConnection("localhost", self.http, timeout=30), path)

    def ask_upstream(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask gunicorn, without nginx."""
        return _ask(http.client.HTTPConnection("localhost", self.upstream, timeout=30), path, headers)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        # Longer than gunicorn waits for its workers, 30 seconds.
        process.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ask(
    connection: http.client.HTTPConnection,
    path: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes = b"",
) -> Answer:
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        found: dict[str, str] = {}
        for name, value in answer.getheaders():
            found[name.lower()] = ", ".join(filter(None, [found.get(name.lower()), value]))
        cookies = answer.headers.get_all("Set-Cookie") or []
        return Answer(answer.status, found, answer.read().decode(errors="replace"), cookies)
    finally:
        connection.close()


def make_certificate(folder: Path) -> Path:
    """Write a certificate of ``localhost``, and its key, into a folder; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    no_password = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password))
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(pem))
    return path
