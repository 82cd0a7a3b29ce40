"""Runner of lines with `mpirun` on several workers, without ssh: it needs only MPI and Python 3.6.

    worker.1   mpirun ──▶ rsh ──TCP──┐            one mpirun for every line, so that a line is a barrier
    worker.2   server ◀──────────────┘ ──▶ orted ──▶ ranks, which write to the log of their own worker

`rsh` is mpirun's launch agent: it sends the command line of a daemon to the server of another worker, and returns its
exit status. In addition the first worker keeps one connection to every other worker. It carries how the run ended, and
shows either side that the other one is gone. A client of a server proves that it knows a secret, which the first worker
writes to the output volume.

A rank that fails by itself leaves a record at its own worker, which then exits with the rank's exit status. The first
worker, unless one of its own ranks failed, exits later and as if it was stopped (143), so that the worker that failed
first is the one that RiseML names.

A signal to any worker, or a rank's failure, stops the ranks of all workers: each agent sends TERM to its own ones. When
all have exited, or their time is over, the first worker ends mpirun. mpirun itself would give them a second at most.
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

import mpi_ranks

# As after SIGTERM: another worker has failed.
STOPPED = 143
PORT_TAKEN = 76
# The first worker exits so much later than the one that failed, because Argo's times are whole seconds.
LEAD_DELAY_SECONDS = 2.5
KILL_AFTER_SECONDS = 10.0
# A pod has 30 seconds after TERM, and 10 if another job of the experiment has failed.
STOP_SECONDS = 25.0
PEER_STOP_SECONDS = 10.0
# Of clone(2).
NEW_UTS, NEW_USER = 0x04000000, 0x10000000
LOOPBACK = "127.0.0.1"
RANK_SCRIPT = '. "$RISEML_DIR/mpi/rank.sh"'


class Worker(object):
    """A worker as RISEML_GANG names it."""

    def __init__(self, word):
        self.name, _, address = word.partition("=")
        self.host, _, port = address.rpartition(":")
        self.port = int(port)

    @property
    def address(self):
        """A real name or address for MPICH. Workers of a local run need different ones."""
        number = int(self.name.rpartition(".")[2])
        return "127.0.0.{0}".format(number) if self.host == LOOPBACK and number < 255 else self.host

    @property
    def alias(self):
        """The host name for mpirun, which only this launch agent reads."""
        return self.name.replace(".", "-")


class Connection(object):
    """A socket that carries lines of JSON."""

    def __init__(self, channel):
        self.channel = channel
        self._file = channel.makefile("rb")

    def send(self, **message):
        self.channel.sendall(json.dumps(message).encode("utf-8") + b"\n")

    def receive(self):
        """Return the next message, None if the other side is gone."""
        try:
            line = self._file.readline()
        except (OSError, ValueError):
            return None
        return json.loads(line.decode("utf-8")) if line.endswith(b"\n") else None

    def close(self):
        try:
            # This also ends a `receive` of another thread.
            self.channel.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.channel.close()


def log(text):
    sys.stderr.write("riseml: {0}\n".format(text))
    sys.stderr.flush()


def variable(name):
    return os.environ["RISEML_" + name]


def workers():
    return [Worker(word) for word in os.environ.get("RISEML_GANG", "").split()]


def gang_timeout():
    return float(os.environ.get("RISEML_GANG_TIMEOUT") or 600)


def agent_file(name):
    return os.path.join(variable("DIR"), "mpi", name)


def first_failure():
    """Return rank and exit status of the first rank here that failed by itself."""
    try:
        with open(agent_file("failed")) as file:
            rank, status = file.readline().split()
    except (OSError, ValueError):
        return None
    return rank, int(status)


RANKS = mpi_ranks.Ranks(agent_file(""))

# The secret


def _secret_file():
    return os.path.join(variable("MEETING"), "mpi")


def make_secret():
    secret = os.environ.get("RISEML_MPI_SECRET") or os.urandom(32).hex()
    path = _secret_file()
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    os.rename(path + ".new", path)
    return secret


def read_secret():
    """Wait for the secret and return it."""
    probe = "{0}.{1}".format(_secret_file(), variable("JOB"))
    limit = time.time() + gang_timeout()
    while time.time() < limit:
        try:
            with open(_secret_file()) as file:
                return file.read()
        except OSError:
            # After a change of its own, an NFS client reads the folder from the server again.
            open(probe, "w").close()
            os.remove(probe)
            time.sleep(0.1)
    raise SystemExit("riseml: worker.1 did not start in time")


def proof(secret, nonce, order):
    return hmac.new(secret.encode(), (nonce + order).encode(), hashlib.sha256).hexdigest()


# Workers other than the first: servers


def serve(worker):
    """Run the first worker's daemons until it ends the run; return the exit status."""
    listener = socket.socket(socket.AF_INET if worker.host == LOOPBACK else _family())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK if worker.host == LOOPBACK else "", worker.port))
    except OSError as error:
        log("port {0} of {1} is used by another process ({2})".format(worker.port, worker.name, error))
        return PORT_TAKEN
    listener.listen(64)
    return Follower(listener, read_secret()).wait()


def _family():
    return socket.AF_INET6 if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") else socket.AF_INET


class Follower(object):
    """Another worker: it runs what the first one asks for."""

    def __init__(self, listener, secret):
        self._listener = listener
        self._secret = secret
        self._lead = None
        self._ended = threading.Event()
        self._status = STOPPED
        self._stopping = threading.Lock()
        self._signal = None

    def wait(self):
        """Return the exit status of this worker."""
        on_signals(self.on_signal)
        start_thread(self._accept)
        if not self._ended.wait(gang_timeout()) and self._lead is None:
            log("worker.1 did not connect in time")
            return STOPPED
        self._ended.wait()
        return self._status if self._signal is None else 128 + self._signal

    def on_signal(self, number):
        """Report a rank's failure, or stop the ranks, and let the first worker stop the others."""
        if number == signal.SIGUSR1:
            self._report(event="failed")
            return
        self._signal = number
        if self._lead is None:
            self._ended.set()
            return
        self._report(event="stopping")
        limit = time.time() + STOP_SECONDS + KILL_AFTER_SECONDS / 2
        self._stop(STOP_SECONDS)
        # The first worker ends the run when the ranks of all workers have exited.
        if not self._ended.wait(max(0, limit - time.time())):
            end_all()
            self._ended.set()

    def _stop(self, seconds):
        with self._stopping:
            RANKS.stop(seconds)
        self._report(event="stopped")

    def _report(self, **message):
        try:
            self._lead.send(**message)
        except (AttributeError, OSError):
            pass

    def _accept(self):
        while True:
            channel, _ = self._listener.accept()
            start_thread(self._answer, Connection(channel))

    def _answer(self, connection):
        """Serve one connection, and refuse a client that does not know the secret."""
        nonce = os.urandom(16).hex()
        connection.send(nonce=nonce)
        request = connection.receive() or {}
        text = request.get("order", "")
        if not hmac.compare_digest(request.get("proof", ""), proof(self._secret, nonce, text)):
            connection.close()
            return
        order = json.loads(text)
        if order["do"] == "run":
            run_daemon(connection, order["command"])
            return
        self._lead = connection
        self._status = self._follow()
        self._ended.set()

    def _follow(self):
        """Answer the first worker until the run ends; return the exit status."""
        while True:
            message = self._lead.receive()
            if message is None:
                log("the connection to worker.1 is lost")
                end_all()
                return STOPPED
            if message["do"] == "failed":
                self._report(failed=first_failure())
            elif message["do"] == "stop":
                start_thread(self._stop, message["seconds"])
            else:
                return self._final_status(message["status"])

    @staticmethod
    def _final_status(lead_status):
        failure = first_failure()
        if failure:
            log_failure(failure)
            return failure[1]
        return 0 if lead_status == 0 else STOPPED


def log_failure(failure):
    rank, status = failure
    log("process {0} of {1} failed with exit status {2}".format(rank, variable("JOB"), status))


def start_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()


def on_signals(handle):
    """Call a function for every signal, in one thread, which may wait."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)

    def watch():
        while True:
            for number in os.read(reader, 64):
                handle(number)

    start_thread(watch)


# Process groups of commands.
running = set()


def run_daemon(connection, command):
    """Run a daemon of mpirun for the first worker; it ends with the connection."""
    process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp)
    running.add(process.pid)

    def watch():
        connection.receive()
        if process.pid in running:
            end(process)

    start_thread(watch)
    status = process.wait()
    running.discard(process.pid)
    try:
        connection.send(exit=status if status >= 0 else 128 - status)
    except OSError:
        pass
    connection.close()


def end(process):
    """End a process group, and kill it if it does not exit in time."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except OSError:
            return
        limit = time.time() + KILL_AFTER_SECONDS
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


# The first worker, and the processes that mpirun starts there


def connect(worker, secret, **order):
    """Connect to a worker, which may start later than this one, and send it an order."""
    limit = time.time() + gang_timeout()
    while True:
        try:
            connection = Connection(socket.create_connection((worker.host, worker.port), timeout=10))
            break
        except OSError as error:
            if time.time() > limit:
                raise SystemExit("riseml: {0} does not answer: {1}".format(worker.name, error))
            time.sleep(0.1)
    connection.channel.settimeout(None)
    connection.channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # With these, the loss of a host is noticed within half a minute.
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.channel.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    greeting = connection.receive()
    if greeting is None:
        raise SystemExit("riseml: {0} closed the connection".format(worker.name))
    text = json.dumps(order)
    connection.send(order=text, proof=proof(secret, greeting["nonce"], text))
    return connection


def run_remotely(alias, words):
    """Run words as one command line of a worker's shell, as rsh does; return the status."""
    for worker in workers():
        if alias in (worker.alias, worker.address):
            break
    else:
        raise SystemExit("riseml: there is no worker {0}".format(alias))
    mpirun = os.getppid()
    connection = connect(worker, read_secret(), do="run", command=" ".join(words))
    message = connection.receive()
    if message is None and os.getppid() != mpirun:
        # mpirun has exited before this process, and the other worker ended with the run.
        return STOPPED
    if message is None:
        raise SystemExit("riseml: the connection to {0} is lost".format(worker.name))
    return message["exit"]


class Lead(object):
    """The first worker: it runs the lines, connected to every other worker."""

    def __init__(self, gang):
        self.gang = gang
        self.mpirun = None
        self.lost = []
        self.connections = []
        self.answers = {}
        self._changed = threading.Condition()
        self._has_stopped = set()
        self._stops = False
        self._signal = None
        on_signals(self.on_signal)
        secret = make_secret() if gang else ""
        self.connections = [(worker, connect(worker, secret, do="hold")) for worker in gang[1:]]
        for worker, connection in self.connections:
            start_thread(self._listen, worker, connection)

    def run(self, lines):
        """Run the lines until one fails; return the exit status of this worker."""
        for line in lines:
            self.mpirun = subprocess.Popen(self.command(line), stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp)
            running.add(self.mpirun.pid)
            if self._stops:
                end(self.mpirun)
            status = self.mpirun.wait()
            running.discard(self.mpirun.pid)
            if self._signal is not None:
                self.end_run(status=128 + self._signal)
                return 128 + self._signal
            if status != 0 or self._stops:
                return self.failure(status if status > 0 else 128 - status)
        self.end_run(status=0)
        return 0

    def on_signal(self, number):
        """Stop all ranks, because this worker is stopped or one of its own ranks has failed."""
        if number == signal.SIGUSR1:
            self._stop(PEER_STOP_SECONDS)
            return
        self._signal = self._signal or number
        if self.mpirun is None:
            os._exit(128 + number)
        self._stop(STOP_SECONDS)

    def _stop(self, seconds):
        """Stop the ranks of all workers, then end mpirun."""
        with self._changed:
            if self._stops:
                return
            self._stops = True
        for worker, connection in self.connections:
            self._send(worker, connection, do="stop", seconds=seconds)
        limit = time.time() + seconds
        RANKS.stop(seconds)
        with self._changed:
            while not self._all_have_stopped() and time.time() < limit:
                self._changed.wait(0.5)
        end(self.mpirun)

    def _all_have_stopped(self):
        gone = self._has_stopped.union(self.lost)
        return all(worker.name in gone for worker, _ in self.connections)

    def command(self, line):
        processes = int(variable("PROCESSES"))
        count = max(1, len(self.gang)) * processes
        hosts = agent_file("hosts")
        mpich = is_hydra()
        with open(hosts, "w") as file:
            for index, worker in enumerate(self.gang):
                # Hydra resolves the names, so they have to be real ones.
                name = worker.address if mpich else worker.alias
                if index == 0:
                    name = "localhost"
                file.write("{0}{1}{2}\n".format(name, ":" if mpich else " slots=", processes))
        options = []
        if self.gang:
            options += ["-f" if mpich else "--hostfile", hosts]
        if mpich and self.gang:
            options += ["-launcher", "rsh", "-launcher-exec", agent_file("rsh"), "-localhost", self.gang[0].host]
            # The environment of a rank is that of its own worker.
            options += ["-genvnone"]
        if not mpich:
            options += ["--bind-to", "none"]
            options += [] if self.gang else ["--oversubscribe"]
        return ["mpirun", "-np", str(count)] + options + ["sh", "-c", RANK_SCRIPT, "riseml", line]

    def failure(self, status):
        """Let the worker that failed exit first, and return this worker's exit status."""
        own_failure = first_failure()
        if own_failure:
            log_failure(own_failure)
            self.end_run(status=own_failure[1])
            return own_failure[1]
        # Another worker has failed, is lost or is stopped.
        another_failed = self._stops or bool(self.lost) or any(self.failures())
        self.end_run(status=status)
        if not another_failed:
            return status
        time.sleep(LEAD_DELAY_SECONDS)
        return STOPPED

    def failures(self):
        """Return the first failure of every other worker, None without one."""
        for worker, connection in self.connections:
            self._send(worker, connection, do="failed")
        limit = time.time() + 5
        with self._changed:
            while len(self.answers) + len(self.lost) < len(self.connections) and time.time() < limit:
                self._changed.wait(0.5)
        return list(self.answers.values())

    def end_run(self, status):
        for worker, connection in self.connections:
            self._send(worker, connection, do="end", status=status)

    def _send(self, worker, connection, **message):
        try:
            connection.send(**message)
        except (OSError, ValueError):
            pass

    def _listen(self, worker, connection):
        message = connection.receive()
        while message is not None:
            self._note(worker, message)
            message = connection.receive()
        with self._changed:
            self.lost.append(worker.name)
            self._changed.notify_all()
        if self.mpirun is not None and self.mpirun.poll() is None:
            log("the connection to {0} is lost".format(worker.name))
            self._stop(PEER_STOP_SECONDS)

    def _note(self, worker, message):
        event = message.get("event")
        if event in ("failed", "stopping"):
            seconds = PEER_STOP_SECONDS if event == "failed" else STOP_SECONDS
            start_thread(self._stop, seconds)
            return
        with self._changed:
            if event == "stopped":
                self._has_stopped.add(worker.name)
            else:
                self.answers[worker.name] = message["failed"]
            self._changed.notify_all()


def is_hydra():
    command = ["mpirun", "--version"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return b"HYDRA" in done.stdout


def prepare(gang):
    """Set the environment of MPI's processes; variables that the user has set take precedence."""
    launcher = agent_file("rsh")
    with open(launcher, "w") as file:
        words = (sys.executable, os.path.abspath(__file__), "--reach")
        file.write("#!/bin/sh\nexec {0} \"$@\"\n".format(" ".join(map(shlex.quote, words))))
    os.chmod(launcher, stat.S_IRWXU)
    settings = {
        "RISEML_MPI_AGENT": str(os.getpid()),
        "RISEML_MPI_CWD": os.getcwd(),
        "RISEML_MPI_OUT": "/proc/{0}/fd/1".format(os.getpid()),
        "RISEML_MPI_ERR": "/proc/{0}/fd/2".format(os.getpid()),
        "OMPI_MCA_plm_rsh_agent": launcher,
        "PRTE_MCA_plm_ssh_agent": launcher,
        # A daemon that leaves the session cannot be ended together with it.
        "OMPI_MCA_orte_leave_session_attached": "1",
        "PRTE_MCA_prte_leave_session_attached": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    # All workers of a local run are on one machine, and MPI has to treat them as several.
    if gang and all(worker.host == LOOPBACK for worker in gang):
        settings["OMPI_MCA_btl_tcp_if_include"] = settings["OMPI_MCA_oob_tcp_if_include"] = "127.0.0.0/8"
        alias = next(worker.alias for worker in gang if worker.name == variable("JOB"))
        if not take_host_name(alias):
            # Else ranks with the same host name would use shared memory.
            settings["OMPI_MCA_btl"] = "self,tcp"
    if os.getuid() == 0:
        for prefix in ("OMPI", "PRTE"):
            settings[prefix + "_ALLOW_RUN_AS_ROOT"] = settings[prefix + "_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    for name, value in settings.items():
        if name.startswith("RISEML_"):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)


def take_host_name(name):
    """Change the host name of this process, for workers on one machine; return False on failure.

    On Linux this takes a UTS namespace; for users other than root, within a user namespace that changes nothing else.
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


def main(words):
    if words[:1] == ["--reach"]:
        return run_remotely(words[1], words[2:])
    gang = workers()
    prepare(gang)
    RANKS.prepare()
    worker = next((worker for worker in gang if worker.name == variable("JOB")), None)
    if worker is None or worker is gang[0]:
        return Lead(gang).run(words)
    return serve(worker)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that still wait for another worker must not keep the process alive.
    os._exit(status)
