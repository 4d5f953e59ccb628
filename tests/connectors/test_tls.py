"""A company CA, mutual TLS and a proxy, with real certificates over real sockets on our loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.config import ConnectionConfig
from connectors.http import Reader, open_session
from improvement.errors import ConnectionFailed


class Company:
    """A certificate authority of its own, and the certificates it issues into a folder."""

    def __init__(self, folder: Path, name: str = "Company CA") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key, is_ca=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(self._signed(subject, key).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, secret

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_ca: bool = False) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(self.key, hashes.SHA256())
        )


class Platform(BaseHTTPRequestHandler):
    """Answers everything with an empty object and remembers what it was asked, also as a proxy."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server on our loopback: its host and port, and the list of what it is asked."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Platform,), {"asked": asked}))
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # refused handshakes
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("company"))


def server_side(company: Company, *, needs_client: bool) -> ssl.SSLContext:
    certificate, key = company.issue("platform")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if needs_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(company.file)
    return context


def read(url: str, **parts: Any) -> int:
    raw = {"name": "acme", "platform": "jira", "url": url, "token": "t0ken", "max_attempts": 1, "timeout_s": 10}
    config = ConnectionConfig.model_validate({**raw, **parts})
    with open_session(config) as session:
        return Reader(session, config).read("/rest/x", what="x").status_code


def test_a_platform_with_a_certificate_of_the_company_is_trusted_by_its_ca_file_only(company: Company) -> None:
    with serving(server_side(company, needs_client=False)) as (host, _):
        assert read(f"https://{host}", verify=company.file) == 200
        with pytest.raises(ConnectionFailed, match="TLS failed") as caught:
            read(f"https://{host}")
        assert caught.value.mend == "Set verify to your CA file."


def test_a_ca_that_is_another_companys_is_not_enough(company: Company, tmp_path: Path) -> None:
    other = Company(tmp_path, "Other CA")
    with serving(server_side(company, needs_client=False)) as (host, _), pytest.raises(ConnectionFailed):
        read(f"https://{host}", verify=other.file)


def test_mutual_tls_shows_our_certificate(company: Company) -> None:
    certificate, key = company.issue("regelkreis")
    both = company.folder / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    with serving(server_side(company, needs_client=True)) as (host, asked):
        assert read(f"https://{host}", verify=company.file, client_certificate=certificate, client_key=key) == 200
        assert read(f"https://{host}", verify=company.file, client_certificate=both) == 200
        assert asked == ["/rest/x", "/rest/x"]
        with pytest.raises(ConnectionFailed):
            read(f"https://{host}", verify=company.file)


def test_a_proxy_is_asked_for_a_platform_outside() -> None:
    with serving() as (host, asked):
        assert read("http://acme.example.invalid", proxy=f"http://{host}") == 200
    assert asked == ["http://acme.example.invalid/rest/x"]


def test_a_proxy_of_the_environment_is_used_but_never_for_our_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (proxy, through), serving() as (host, direct):
        for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://{proxy}")
        assert read("http://acme.example.invalid") == 200
        assert read(f"http://{host}") == 200
    assert through == ["http://acme.example.invalid/rest/x"]
    assert direct == ["/rest/x"]
