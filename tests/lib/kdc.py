# SPDX-License-Identifier: Apache-2.0
"""A Kerberos realm of a test's own: MIT's KDC on 127.0.0.1, with its files below a folder."""
import os
import shutil
import socket
import subprocess

from .util import die_with_parent, ports, wait_until

REALM = "KRMIRROR.TEST"
# Debian's folder of these is not in everybody's PATH.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _program(name):
    path = shutil.which(name, path=PATH)
    assert path, f"{name} is missing: run tools/deps"
    return path


class Kdc:
    """with Kdc(dir) as kdc: kdc.keytab("client/krmirror") ..."""

    def __init__(self, dir):
        self.dir = str(dir)
        os.makedirs(self.dir, exist_ok=True)
        self.port = ports.take()
        self.process = None
        self.conf = self._write("krb5.conf", f"""
            [libdefaults]
            default_realm = {REALM}
            dns_lookup_kdc = false
            dns_lookup_realm = false
            dns_canonicalize_hostname = false
            rdns = false
            udp_preference_limit = 1
            [realms]
            {REALM} = {{
                kdc = 127.0.0.1:{self.port}
            }}
            """)
        self.kdc_conf = self._write("kdc.conf", f"""
            [kdcdefaults]
            kdc_listen = ""
            kdc_tcp_listen = 127.0.0.1:{self.port}
            [realms]
            {REALM} = {{
                database_name = {self.dir}/principal
                key_stash_file = {self.dir}/stash
                acl_file = {self.dir}/acl
                max_life = 1h
            }}
            [logging]
            kdc = FILE:{self.dir}/kdc.log
            """)
        self.env = os.environ | {"KRB5_CONFIG": self.conf, "KRB5_KDC_PROFILE": self.kdc_conf}
        self._run("kdb5_util", "create", "-s", "-P", "of the test", "-r", REALM)

    def _write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.writelines(line.strip() + "\n" for line in text.splitlines())
        return path

    def _run(self, name, *args):
        done = subprocess.run([_program(name), *args], env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{name} {' '.join(args)}: {done.stdout}{done.stderr}"
        return done.stdout

    def keytab(self, name):
        """The file with the key of a principal, which is made if there is none yet; (file, principal)."""
        path = os.path.join(self.dir, name.replace("/", "-") + ".keytab")
        principal = f"{name}@{REALM}"
        if not os.path.exists(path):
            self._run("kadmin.local", "-r", REALM, "addprinc", "-randkey", principal)
            self._run("kadmin.local", "-r", REALM, "ktadd", "-k", path, principal)
        return path, principal

    def start(self):
        assert self.process is None
        with open(os.path.join(self.dir, "out.log"), "ab") as log:
            self.process = subprocess.Popen([_program("krb5kdc"), "-n", "-r", REALM], env=self.env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)

        def serves():
            assert self.process.poll() is None, "the KDC has ended"
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        wait_until(serves, 30, "the KDC listens", swallow=(OSError,))
        return self

    def stop(self):
        p, self.process = self.process, None
        if p is not None:
            p.kill()
            p.wait()

    __enter__ = start

    def __exit__(self, *exc):
        self.stop()
        ports.give_back(self.port)
