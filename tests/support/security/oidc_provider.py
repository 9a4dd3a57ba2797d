"""An OpenID Connect provider that logs everybody in as whoever the test says, without asking."""

import base64
import hashlib
import json
import secrets
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, CLIENT_SECRET = "nullsplat", "telltale-client-secret"


class Provider:
    """Answers on loopback: discovery, keys, authorization with PKCE, tokens signed with RS256.

    Attributes:
        claims: of whoever logs in next.
    """

    def __init__(self, folder: Path) -> None:
        self.claims: dict[str, Any] = {}
        self._key = folder / "provider.key"
        command = ["openssl", "genrsa", "-out", str(self._key), "2048"]
        subprocess.run(command, check=True, capture_output=True)
        self._asked: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Provider":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider._authorized(_flat(parts.query)))
                    self.end_headers()
                else:
                    self._answer(provider._documents()[parts.path])

            def do_POST(self) -> None:
                form = _flat(self.rfile.read(int(self.headers["Content-Length"])).decode())
                basic = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
                assert self.headers["Authorization"] == f"Basic {basic}"
                self._answer(provider._tokens(form))

            def _answer(self, document: dict[str, Any]) -> None:
                content = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler

    def _documents(self) -> dict[str, dict[str, Any]]:
        command = ["openssl", "rsa", "-in", str(self._key), "-noout", "-modulus"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        modulus = bytes.fromhex(said.strip().removeprefix("Modulus="))
        key = {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": _text(modulus), "e": "AQAB"}
        discovery = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return {"/.well-known/openid-configuration": discovery, "/keys": {"keys": [key]}}

    def _authorized(self, asked: dict[str, str]) -> str:
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self._asked[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def _tokens(self, form: dict[str, str]) -> dict[str, Any]:
        asked = self._asked.pop(form["code"])
        assert _text(hashlib.sha256(form["code_verifier"].encode()).digest()) == asked["code_challenge"]
        now = int(time.time())
        about = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = self._signed({"sub": "1234", **about, **self.claims})
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": token}

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        content = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(command, input=content.encode(), check=True, capture_output=True).stdout
        return f"{content}.{_text(signature)}"


def _text(content: bytes) -> str:
    """Base64 as JSON Web Tokens have it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
