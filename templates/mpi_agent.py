"""Runs lines by `mpirun` over several workers, which need no ssh for it: only MPI and Python 3.6, standard library.

    worker.1   mpirun ──▶ rsh ──TCP──┐            one mpirun for each line, so that a line is a barrier
    worker.2   server ◀──────────────┘ ──▶ orted ──▶ ranks, which write to the log of their own worker

`rsh` stands for mpirun's launch agent: it brings the command line of a daemon to the server of another worker, and its
exit status back. Beside it the first worker holds one connection to every other: through it the others hear how the
run has ended, and either side of the end of the other. Who asks a server proves that it knows a secret, which the
first worker leaves on the output volume.

A rank that fails by itself leaves a note at its own worker, which then ends with the rank's exit status; the first
worker, where none of its own has failed, looks ended from outside (143), and later. So the guilty one is told.
"""

import ctypes
import hashlib
import hmac
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

ENDED = 143  # as by SIGTERM: somebody else is to blame
TAKEN = 76
LATER = 2.5  # seconds by which the first worker ends after the guilty one: Argo's times are whole seconds
GRACE = 10.0
NEW_UTS, NEW_USER = 0x04000000, 0x10000000  # clone(2)
HERE = "127.0.0.1"
RANK = r"""
riseml_code=0
cd "$RISEML_MPI_CWD" 2> /dev/null
[ ! -w "$RISEML_MPI_OUT" ] || exec >> "$RISEML_MPI_OUT"
[ ! -w "$RISEML_MPI_ERR" ] || exec 2>> "$RISEML_MPI_ERR"
if command -v bash > /dev/null; then bash -ec "$1"; else sh -ec "$1"; fi || riseml_code=$?
[ "$riseml_code" = 0 ] ||
  echo "${OMPI_COMM_WORLD_RANK-${PMI_RANK-?}} $riseml_code" >> "$RISEML_DIR/mpi/failed"
exit "$riseml_code"
"""


class Worker(object):
    """One worker as RISEML_GANG names it."""

    def __init__(self, word):
        self.name, _, address = word.partition("=")
        self.host, _, port = address.rpartition(":")
        self.port = int(port)

    @property
    def alias(self):
        """What mpirun calls its host: a name that only our launch agent has to understand."""
        return self.name.replace(".", "-")


class Connection(object):
    """A socket that carries lines of JSON."""

    def __init__(self, channel):
        self.channel = channel
        self._file = channel.makefile("rwb")

    def send(self, **message):
        self._file.write(json.dumps(message).encode("utf-8") + b"\n")
        self._file.flush()

    def receive(self):
        """Return the next message, None where the other side is gone."""
        try:
            line = self._file.readline()
        except (OSError, ValueError):
            return None
        return json.loads(line.decode("utf-8")) if line.endswith(b"\n") else None

    def close(self):
        try:
            self.channel.shutdown(socket.SHUT_RDWR)  # also for whoever waits in `receive`
        except OSError:
            pass
        self.channel.close()


def note(text):
    sys.stderr.write("riseml: {0}\n".format(text))
    sys.stderr.flush()


def environment(name):
    return os.environ["RISEML_" + name]


def workers():
    return [Worker(word) for word in os.environ.get("RISEML_GANG", "").split()]


def patience():
    return float(os.environ.get("RISEML_GANG_TIMEOUT") or 600)


def own(name):
    return os.path.join(environment("DIR"), "mpi", name)


def failed():
    """Return rank and exit status of the first rank of this worker that failed by itself, None where none has."""
    try:
        with open(own("failed")) as file:
            rank, status = file.readline().split()
    except (OSError, ValueError):
        return None
    return rank, int(status)


# The secret


def _secret_file():
    return os.path.join(environment("MEETING"), "mpi")


def make_secret():
    secret = os.urandom(32).hex()
    path = _secret_file()
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    os.rename(path + ".new", path)
    return secret


def read_secret():
    """Return the secret once it is there. A change of our own in the folder makes a client of NFS look at it anew."""
    mine = "{0}.{1}".format(_secret_file(), environment("JOB"))
    end = time.time() + patience()
    while time.time() < end:
        try:
            with open(_secret_file()) as file:
                return file.read()
        except OSError:
            open(mine, "w").close()
            os.remove(mine)
            time.sleep(0.1)
    raise SystemExit("riseml: worker.1 has not begun in time")


def proof(secret, nonce, order):
    return hmac.new(secret.encode(), (nonce + order).encode(), hashlib.sha256).hexdigest()


# One side: a worker that serves


def serve(me):
    """Run what the first worker asks for, until it says that all is over; return the exit status."""
    listener = socket.socket(socket.AF_INET if me.host == HERE else _family())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HERE if me.host == HERE else "", me.port))
    except OSError as error:
        note("port {0} of {1} is taken by somebody else ({2})".format(me.port, me.name, error))
        return TAKEN
    listener.listen(64)
    secret = read_secret()
    over = threading.Event()
    outcome = []

    def accept():
        while True:
            channel, _ = listener.accept()
            thread = threading.Thread(target=answer, args=(Connection(channel), secret, outcome, over))
            thread.daemon = True
            thread.start()

    thread = threading.Thread(target=accept)
    thread.daemon = True
    thread.start()
    if not over.wait(patience()) and not outcome:
        note("worker.1 has not called in time")
        return ENDED
    over.wait()
    return outcome[-1]


def _family():
    return socket.AF_INET6 if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") else socket.AF_INET


def answer(connection, secret, outcome, over):
    """Serve one connection: refuse who does not know the secret."""
    nonce = os.urandom(16).hex()
    connection.send(nonce=nonce)
    asked = connection.receive() or {}
    order = asked.get("order", "")
    if not hmac.compare_digest(asked.get("proof", ""), proof(secret, nonce, order)):
        connection.close()
        return
    wanted = json.loads(order)
    if wanted["do"] == "run":
        run_for(connection, wanted["command"])
        return
    outcome.append("held")
    outcome.append(held(connection))
    over.set()


def held(connection):
    """Tell the first worker what it asks, until it says goodbye or is gone; return the exit status of this worker."""
    while True:
        message = connection.receive()
        if message is None:
            note("the connection to worker.1 is lost")
            end_all()
            return ENDED
        if message["do"] == "failed":
            connection.send(failed=failed())
            continue
        found = failed()
        if found:
            note("process {0} of {1} has failed with exit status {2}".format(found[0], environment("JOB"), found[1]))
        return found[1] if found else 0 if message["status"] == 0 else ENDED


running = set()  # process groups of commands


def run_for(connection, command):
    """Run a daemon of mpirun's for the first worker; it ends with the connection."""
    process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp)
    running.add(process.pid)

    def watch():
        connection.receive()
        if process.pid in running:
            end(process)

    thread = threading.Thread(target=watch)
    thread.daemon = True
    thread.start()
    status = process.wait()
    running.discard(process.pid)
    try:
        connection.send(exit=status if status >= 0 else 128 - status)
    except OSError:
        pass
    connection.close()


def end(process):
    """End a process group, by force after a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except OSError:
            return
        limit = time.time() + GRACE
        while time.time() < limit and process.poll() is None:
            time.sleep(0.05)


def end_all():
    for group in list(running):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(group, number)
            except OSError:
                break
            time.sleep(1)


# The other side: the first worker, and what mpirun starts there


def call(worker, secret, **order):
    """Connect to a worker that may be a moment behind, and give it an order."""
    end = time.time() + patience()
    while True:
        try:
            connection = Connection(socket.create_connection((worker.host, worker.port), timeout=10))
            break
        except OSError as error:
            if time.time() > end:
                raise SystemExit("riseml: {0} does not answer: {1}".format(worker.name, error))
            time.sleep(0.1)
    connection.channel.settimeout(None)
    connection.channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # a host that is gone shall be noticed within half a minute
            connection.channel.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    greeting = connection.receive()
    if greeting is None:
        raise SystemExit("riseml: {0} hung up".format(worker.name))
    text = json.dumps(order)
    connection.send(order=text, proof=proof(secret, greeting["nonce"], text))
    return connection


def reach(alias, words):
    """Stand for rsh: run words at a worker, as one text of its shell, and return their exit status."""
    for worker in workers():
        if alias in (worker.alias, worker.host):
            break
    else:
        raise SystemExit("riseml: there is no worker {0}".format(alias))
    connection = call(worker, read_secret(), do="run", command=" ".join(words))
    message = connection.receive()
    if message is None:
        raise SystemExit("riseml: the connection to {0} is lost".format(worker.name))
    return message["exit"]


class Lead(object):
    """The first worker: it holds the others while it runs the lines."""

    def __init__(self, gang):
        self.gang = gang
        self.mpirun = None
        self.lost = []
        secret = make_secret() if gang else ""
        self.held = [(worker, call(worker, secret, do="hold")) for worker in gang[1:]]
        self.answers = {}
        self._news = threading.Condition()
        for worker, connection in self.held:
            thread = threading.Thread(target=self._listen, args=(worker, connection))
            thread.daemon = True
            thread.start()

    def run(self, lines):
        """Run the lines until one fails; return the exit status of this worker."""
        for line in lines:
            self.mpirun = subprocess.Popen(self.command(line), stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp)
            running.add(self.mpirun.pid)
            if self.lost:
                end(self.mpirun)
            status = self.mpirun.wait()
            running.discard(self.mpirun.pid)
            if status != 0:
                return self.failure(status if status > 0 else 128 - status)
        self.tell(status=0)
        return 0

    def command(self, line):
        processes = int(environment("PROCESSES"))
        count = max(1, len(self.gang)) * processes
        hosts = own("hosts")
        mpich = is_hydra()
        with open(hosts, "w") as file:
            for index, worker in enumerate(self.gang):
                name = "localhost" if index == 0 else worker.host if mpich else worker.alias  # Hydra looks names up
                file.write("{0}{1}{2}\n".format(name, ":" if mpich else " slots=", processes))
        where = (["-f", hosts] if mpich else ["--hostfile", hosts]) if self.gang else []
        if mpich and self.gang:
            where += ["-launcher", "rsh", "-launcher-exec", own("rsh"), "-localhost", self.gang[0].host]
        extra = [] if mpich else ["--bind-to", "none"] + ([] if self.gang else ["--oversubscribe"])
        return ["mpirun", "-np", str(count)] + where + extra + ["sh", "-c", RANK, "riseml", line]

    def failure(self, status):
        """Find out who is to blame, let that worker end first, and return this worker's own exit status."""
        mine = failed()
        if mine:
            note("process {0} of {1} has failed with exit status {2}".format(mine[0], environment("JOB"), mine[1]))
            self.tell(status=mine[1])
            return mine[1]
        others = bool(self.lost) or any(self.ask())
        self.tell(status=status)
        if not others:
            return status
        time.sleep(LATER)
        return ENDED

    def ask(self):
        """Return what the ranks of each other worker have noted."""
        for worker, connection in self.held:
            self._send(worker, connection, do="failed")
        limit = time.time() + 5
        with self._news:
            while len(self.answers) + len(self.lost) < len(self.held) and time.time() < limit:
                self._news.wait(0.5)
        return list(self.answers.values())

    def tell(self, status):
        for worker, connection in self.held:
            self._send(worker, connection, do="end", status=status)

    def _send(self, worker, connection, **message):
        try:
            connection.send(**message)
        except (OSError, ValueError):
            pass

    def _listen(self, worker, connection):
        while True:
            message = connection.receive()
            with self._news:
                if message is None:
                    break
                self.answers[worker.name] = message["failed"]
                self._news.notify_all()
        with self._news:
            self.lost.append(worker.name)
            self._news.notify_all()
        if self.mpirun is not None and self.mpirun.poll() is None:
            note("the connection to {0} is lost".format(worker.name))
            end(self.mpirun)


def is_hydra():
    said = subprocess.run(["mpirun", "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    return b"HYDRA" in said


def prepare(gang):
    """Set what the processes of MPI read; what the user has set wins."""
    launcher = own("rsh")
    with open(launcher, "w") as file:
        words = (sys.executable, os.path.abspath(__file__), "--reach")
        file.write("#!/bin/sh\nexec {0} \"$@\"\n".format(" ".join(map(shlex.quote, words))))
    os.chmod(launcher, stat.S_IRWXU)
    settings = {
        "RISEML_MPI_CWD": os.getcwd(),
        "RISEML_MPI_OUT": "/proc/{0}/fd/1".format(os.getpid()),
        "RISEML_MPI_ERR": "/proc/{0}/fd/2".format(os.getpid()),
        "OMPI_MCA_plm_rsh_agent": launcher,
        "PRTE_MCA_plm_ssh_agent": launcher,
        "OMPI_MCA_orte_leave_session_attached": "1",  # a daemon that left the session could not be ended with it
        "PRTE_MCA_prte_leave_session_attached": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    if gang and all(worker.host == HERE for worker in gang):  # one machine, which stands for several
        settings["OMPI_MCA_btl_tcp_if_include"] = settings["OMPI_MCA_oob_tcp_if_include"] = "127.0.0.0/8"
        if not become(next(worker.alias for worker in gang if worker.name == environment("JOB"))):
            settings["OMPI_MCA_btl"] = "self,tcp"  # ranks of one host would look for each other in shared memory
    if os.getuid() == 0:
        for prefix in ("OMPI", "PRTE"):
            settings[prefix + "_ALLOW_RUN_AS_ROOT"] = settings[prefix + "_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    for name, value in settings.items():
        if name.startswith("RISEML_"):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)


def become(name):
    """Take a host name of one's own, so that MPI tells the workers of one machine apart; False where that is not to be.

    Linux: a UTS namespace, for anybody but root in a user namespace that changes nothing else.
    """
    user, group = os.getuid(), os.getgid()
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NEW_UTS) != 0:
            if libc.unshare(NEW_UTS | NEW_USER) != 0:
                return False
            for path, text in (("setgroups", "deny"), ("uid_map", "{0} {0} 1"), ("gid_map", "{0} {0} 1")):
                with open("/proc/self/" + path, "w") as file:
                    file.write(text.format(user if path == "uid_map" else group))
        text = name.encode()
        return libc.sethostname(text, len(text)) == 0
    except (AttributeError, OSError):
        return False


def stop(number, _frame):
    """End what this worker has started, then itself. The ranks are the daemons' to end."""
    signal.signal(number, signal.SIG_IGN)
    for group in list(running):
        try:
            os.killpg(group, number)
        except OSError:
            running.discard(group)
    limit = time.time() + 25
    while running and time.time() < limit:
        for group in list(running):
            try:
                os.waitpid(group, os.WNOHANG)
                os.killpg(group, 0)
            except OSError:
                running.discard(group)
        time.sleep(0.05)
    os._exit(128 + number)


def main(words):
    if words[:1] == ["--reach"]:
        return reach(words[1], words[2:])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    gang = workers()
    prepare(gang)
    me = next((worker for worker in gang if worker.name == environment("JOB")), None)
    if me is None or me is gang[0]:
        return Lead(gang).run(words)
    return serve(me)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads that wait for the other side are nobody's any more
