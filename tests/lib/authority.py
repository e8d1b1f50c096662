# SPDX-License-Identifier: Apache-2.0
"""A CA for tests: certificates of brokers and clients, as PEM files that Kafka and krmirror both read."""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Issued:
    """A key and its certificate."""

    def __init__(self, key, certificate, authority):
        self.key, self.certificate, self.authority = key, certificate, authority

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()

    @property
    def chain_pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def write(self, path):
        """Key and certificate in one file, replaced in one step."""
        with open(path + ".new", "w") as f:
            f.write(self.key_pem + self.chain_pem)
        os.rename(path + ".new", path)
        return path

    def write_pkcs12(self, path, password):
        with open(path, "wb") as f:
            f.write(pkcs12.serialize_key_and_certificates(
                b"own", self.key, self.certificate, [self.authority.certificate],
                serialization.BestAvailableEncryption(password.encode())))
        return path


class Authority:
    def __init__(self, dir, name="krmirror test CA"):
        self.dir = str(dir)
        os.makedirs(self.dir, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        self.certificate = self._sign(self.name, self.key, 3650 * DAY, [(x509.BasicConstraints(True, None), True)])
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.file = os.path.join(self.dir, "ca.pem")
        with open(self.file, "w") as f:
            f.write(self.pem)

    def _sign(self, subject, key, lives, extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        b = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
             .serial_number(x509.random_serial_number()).not_valid_before(now - 30 * DAY).not_valid_after(now + lives))
        for extension, critical in extensions:
            b = b.add_extension(extension, critical)
        return b.sign(self.key, hashes.SHA256())

    def issue(self, subject, names=(), days=365):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [_alternative(n) for n in names]
        extensions = [(x509.SubjectAlternativeName(names), False)] if names else []
        return Issued(key, self._sign(_name(subject), key, days * DAY, extensions), self)
