# SPDX-License-Identifier: Apache-2.0
"""What a broker's second listener asks of its clients: TLS, SASL, or both. For KafkaCluster(secured=...)."""
import os

from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from .util import hostport, wait_until

PLAIN, SCRAM_256, SCRAM_512, GSSAPI = "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"
MODULES = {PLAIN: "org.apache.kafka.common.security.plain.PlainLoginModule",
           SCRAM_256: "org.apache.kafka.common.security.scram.ScramLoginModule",
           SCRAM_512: "org.apache.kafka.common.security.scram.ScramLoginModule"}


OAUTH = "OAUTHBEARER"
OAUTH_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
KERBEROS = "com.sun.security.auth.module.Krb5LoginModule"


class SecuredListener:
    def __init__(self, authority=None, names=("127.0.0.1", "localhost"), days=365, clients=False, sasl=False,
                 reauth_ms=0, kdc=None, oauth=False, name=None, users=()):
        """authority: TLS with certificates of it; clients: which clients must have too. sasl: users may log in; kdc:
        with tickets too; oauth: with unsigned tokens. name(node): the host that a node advertises and that its
        certificate names, in place of `names`. users: more names for PLAIN, each its own password."""
        self.name, self.users = name, users
        self.kdc, self.oauth = kdc, oauth
        self.authority, self.names, self.days, self.clients = authority, names, days, clients
        self.sasl, self.reauth_ms = sasl, reauth_ms
        self.protocol = ("SASL_" if sasl else "") + ("SSL" if authority else "PLAINTEXT")

    def advertised(self, node):
        return f"{self.name(node)}:{hostport(node.secured)[1]}" if self.name else node.secured

    # -- TLS -----------------------------------------------------------------------------------------------

    def keystore(self, node):
        return os.path.join(self.authority.dir, f"{node.cluster.name}-{node.id}.pem")

    def renew(self, node, **more):
        names = (self.name(node),) if self.name else self.names
        issued = self.authority.issue(f"broker {node.id}", names, **{"days": self.days, **more})
        return issued.write(self.keystore(node))

    def _tls(self, node):
        self.renew(node)
        return {
            "ssl.keystore.type": "PEM", "ssl.keystore.location": self.keystore(node),
            "ssl.truststore.type": "PEM", "ssl.truststore.location": self.authority.file,
            "ssl.client.auth": "required" if self.clients else "none",
        }

    # -- SASL ----------------------------------------------------------------------------------------------

    def _sasl(self):
        own = {"sasl.enabled.mechanisms": ",".join([*MODULES, *([GSSAPI] if self.kdc else []), *([OAUTH] if self.oauth else [])])}
        if self.reauth_ms:
            own["connections.max.reauth.ms"] = self.reauth_ms
        for mechanism, module in MODULES.items():
            users = "".join(f' user_{u}="{p}"' for u, p in
                            [("mirror", "of the mirror"), *((u, u) for u in self.users)]) if mechanism == PLAIN else ""
            own[f"{mechanism.lower()}.sasl.jaas.config"] = f"{module} required{users};"
        if self.oauth:
            own["oauthbearer.sasl.jaas.config"] = f'{OAUTH_MODULE} required unsecuredLoginStringClaim_sub="broker";'
        if self.kdc:
            keytab, principal = self.kdc.keytab("kafka/127.0.0.1")
            own["gssapi.sasl.jaas.config"] = (f'{KERBEROS} required useKeyTab=true storeKey=true keyTab="{keytab}" '
                                              f'principal="{principal}";')
            own["sasl.kerberos.service.name"] = "kafka"
        return own

    def java_options(self):
        """For the broker's JVM."""
        return [f"-Djava.security.krb5.conf={self.kdc.conf}"] if self.kdc else []

    def config(self, node):
        own = (self._tls(node) if self.authority else {}) | (self._sasl() if self.sasl else {})
        return {f"listener.name.secured.{k}": v for k, v in own.items()}

    def add_users(self, cluster, password="of the mirror"):
        """The user "mirror" of the SCRAM mechanisms, or a new password of it; PLAIN has it in the broker's configuration."""
        kinds = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        wanted = [UserScramCredentialUpsertion("mirror", ScramCredentialInfo(k, 4096), password.encode()) for k in kinds]
        for one in wanted:
            for f in cluster.admin.alter_user_scram_credentials([one]).values():
                f.result(30)

        def known():
            found = cluster.admin.describe_user_scram_credentials(["mirror"])["mirror"].result(30)
            return len(found.scram_credential_infos) == len(kinds)
        wait_until(known, 30, "the users are known")


def login(mechanism, password="of the mirror", user="mirror"):
    """Client keys."""
    return {"sasl.mechanism": mechanism,
            "sasl.jaas.config": f'{MODULES[mechanism]} required username="{user}" password="{password}";'}


def ticket(kdc, name="mirror"):
    """Client keys for GSSAPI."""
    keytab, principal = kdc.keytab(name)
    return {"sasl.mechanism": GSSAPI, "sasl.kerberos.service.name": "kafka",
            "sasl.jaas.config": f'{KERBEROS} required useKeyTab=true keyTab="{keytab}" principal="{principal}";'}
