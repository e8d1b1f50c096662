# SPDX-License-Identifier: Apache-2.0
"""A token endpoint: client credentials in, unsigned tokens out, which Kafka's default validator takes."""
import base64
import http.server
import json
import os
import ssl
import threading
import time

from .util import ports

CLIENT, SECRET = "krmirror", "of the client"


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(subject="mirror", lives=3600):
    now = int(time.time())
    return f"{_part({'alg': 'none'})}.{_part({'sub': subject, 'iat': now, 'exp': now + lives})}."


class TokenEndpoint:
    """with TokenEndpoint(authority) as e: e.url ... `lives`: of its tokens, in seconds; `answer`: in place of a token,
    (status, body, headers)."""

    def __init__(self, authority, lives=3600):
        self.authority, self.lives, self.answer = authority, lives, None
        self.port = ports.take()
        self.url = f"https://127.0.0.1:{self.port}/token"
        self.asked = []   # (client, scope) of each question
        self.server = None

    def start(self):
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                who = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
                endpoint.asked.append((who, body))
                status, answer, headers = endpoint.decide(who)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *args):
                pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.issue("token endpoint", ["127.0.0.1"]).write(
            os.path.join(self.authority.dir, "endpoint.pem")))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def decide(self, who):
        if self.answer:
            return self.answer
        if who != f"{CLIENT}:{SECRET}":
            return 401, json.dumps({"error": "invalid_client", "error_description": "no such client"}), {}
        return 200, json.dumps({"access_token": token(lives=self.lives), "expires_in": self.lives,
                                "token_type": "Bearer"}), {"Content-Type": "application/json"}

    def stop(self):
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()
        ports.give_back(self.port)
