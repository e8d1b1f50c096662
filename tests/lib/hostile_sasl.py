# SPDX-License-Identifier: Apache-2.0
"""A broker that means ill of those who log in: it speaks ApiVersions, SaslHandshake and SaslAuthenticate well, and
answers what a test wants."""
import base64
import re
import struct

from lib.fakes import Server, read_exact

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
HIGHEST = {API_VERSIONS: 3, SASL_HANDSHAKE: 1, SASL_AUTHENTICATE: 1}


class HostileSasl:
    """answer(round, token) -> what the broker says to the client's token of that round, from 0."""

    def __init__(self, mechanism, answer):
        self.mechanism, self.answer = mechanism, answer
        self.rounds = 0
        self.server = Server(self._serve)
        self.address = self.server.address

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.__exit__()

    def _serve(self, s):
        n = 0
        while True:
            size, = struct.unpack(">i", read_exact(s, 4))
            frame = read_exact(s, size)
            key, version, correlation = struct.unpack_from(">hhi", frame)
            if key == API_VERSIONS:
                body = self._versions(version)
            elif key == SASL_HANDSHAKE:
                name = self.mechanism.encode()
                body = struct.pack(">hih", 0, 1, len(name)) + name
            elif key == SASL_AUTHENTICATE:
                client_id, = struct.unpack_from(">h", frame, 8)
                token = frame[10 + max(client_id, 0) + 4:]
                said = self.answer(n, token)
                n += 1
                self.rounds = max(self.rounds, n)
                body = struct.pack(">hhi", 0, -1, len(said)) + said + struct.pack(">q", 0)
            else:
                raise OSError("not logged in")
            s.sendall(struct.pack(">ii", len(body) + 4, correlation) + body)

    @staticmethod
    def _versions(version):
        keys = [(k, 0, HIGHEST.get(k, 9)) for k in range(68)]
        if version < 3:
            return struct.pack(">hi", 0, len(keys)) + b"".join(struct.pack(">hhh", *k) for k in keys) + b"\0" * 4
        return struct.pack(">hB", 0, len(keys) + 1) + b"".join(struct.pack(">hhhB", *k, 0) for k in keys) + b"\0" * 5


def scram_first(token, iterations=4096):
    """What a server answers to the first token of SCRAM: it takes up the client's nonce."""
    nonce = re.search(rb",r=(.*)$", token).group(1)
    return b"r=" + nonce + b"hostile,s=" + base64.b64encode(b"salt and pepper!") + b",i=%d" % iterations
