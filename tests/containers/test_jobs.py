"""Jobs in containers: their image, mounts and variables, signals, peers, and kills of every process around them."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from riseml.engines.local import secrets
from riseml.engines.local.jobs import processes
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.containers import programs
from tests.contract.bench import Bench

KEPT_AT_STOP = """
    import signal, sys, time
    def stop(*_):
        print("saving", flush=True)
        time.sleep(0.5)
        print("saved", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    time.sleep(600)
    """
ONCE = """
    import os, time
    with open("/output/starts", "a") as file:
        file.write("start\\n")
    print("ready", flush=True)
    while not os.path.exists("/output/go"):
        time.sleep(0.05)
    print("done", flush=True)
    """


def output(bench: Bench, run: int) -> Path:
    return bench.engine.folder(Id(number=run))  # type: ignore[attr-defined,no-any-return]


def job_folder(bench: Bench, run: int) -> Path:
    (file,) = Path(bench.engine.home, "runs", str(run)).glob("*/container.json")  # type: ignore[attr-defined]
    return file.parent


def processes_named(folder: Path, name: str) -> list[int]:
    """Return the processes of this name around the container of a job."""
    key = json.loads((folder / "container.json").read_text())["name"]
    pids = []
    for process in psutil.process_iter(["cmdline", "name"]):
        words = " ".join(process.info["cmdline"] or ())
        about = str(folder) in words or key in words
        if about and name in (process.info["name"], *words.split()[-2:-1]):
            pids.append(process.pid)
    return pids


def ended(bench: Bench, run: int) -> SetStatus:
    bench.wait(run)
    return bench.engine.read(Id(number=run))


def test_a_job_has_the_image_and_nothing_of_the_machine(bench: Bench) -> None:
    bench.environment["FROM_THE_USER"] = "1"
    bench.write({"code.txt": "from the project\n"})
    run = bench.run(
        """
        run:
          - test -n "$RISEML_CONTAINER" && cat code.txt
          - echo "$FROM_THE_USER|$PATH|$(id -u)"
          - ls -d /store /usr/bin/git 2>/dev/null || echo nothing else
          - touch /data/x 2>/dev/null || echo read-only
          - echo made > made.txt; echo kept > /output/kept.txt
        """
    )
    assert run.state is State.FINISHED
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert bench.log(run.number or 0).splitlines() == [
        "from the project",
        f"|{path}|{os.getuid()}",
        "nothing else",
        "read-only",
    ]
    folder = output(bench, run.number or 0)
    assert (folder / "workdir" / "made.txt").read_text() == "made\n"
    assert (folder / "kept.txt").stat().st_uid == os.getuid()


def test_the_user_of_an_image_may_write_as_on_a_cluster(bench: Bench) -> None:
    bench.image = programs.USER_IMAGE
    bench.write({"code.txt": "from the project\n"})
    run = bench.run(
        """
        run:
          - id -u; cat code.txt; echo made > made.txt; echo kept > $OUTPUT_DIR/kept.txt
          - python3 -c 'import riseml; riseml.report_result(a=1)'
        """
    )
    assert bench.log(run.number or 0) == "1000\nfrom the project\n"
    assert (run.state, run.experiments[0].result) == (State.FINISHED, {"a": 1})
    folder = output(bench, run.number or 0)
    assert (folder / "workdir" / "made.txt").read_text() == "made\n"
    assert (folder / "kept.txt").read_text() == "kept\n"


def test_secrets_reach_the_job_and_no_log_or_command_line(bench: Bench) -> None:
    secrets.change(bench.engine.home, "TOKEN", "s3cret")  # type: ignore[attr-defined]
    run = bench.run(
        """
        secrets: [TOKEN]
        run: test "$TOKEN" = s3cret && echo "it is $TOKEN"
        """
    )
    assert run.state is State.FINISHED
    assert bench.log(run.number or 0) == "it is ***\n"


def test_a_kill_lets_the_job_save(bench: Bench) -> None:
    bench.write({"train.py": KEPT_AT_STOP})
    run = bench.train("run: python3 train.py").number
    bench.until_logged(run, "ready")
    bench.engine.stop(Id(number=run))
    status = ended(bench, run)
    assert status.state is State.KILLED
    assert bench.log(run) == "ready\nsaving\nsaved\n"
    assert status.experiments[0].jobs[0].exit_code == 3


def test_peers_have_the_names_and_ports_of_the_document(bench: Bench) -> None:
    bench.write(
        {
            "talk.py": """
            import json, os, socket, time
            cluster = json.loads(os.environ["TF_CONFIG"])["cluster"]
            hosts = [host for names in cluster.values() for host in names]
            listener = socket.create_server(("", 2222))
            reached = set()
            while len(reached) < len(hosts):
                for host in set(hosts) - reached:
                    name, port = host.split(":")
                    try:
                        with socket.create_connection((name, int(port)), 5) as peer:
                            assert not peer.getpeername()[0].startswith("127.")
                        reached.add(host)
                    except OSError:
                        time.sleep(0.1)
            print("reached", *sorted(reached))
            # The others may still connect.
            open(f"/output/done.{socket.gethostname()}", "w").close()
            while len([name for name in os.listdir("/output") if "done" in name]) < 3:
                time.sleep(0.1)
            # A daemon ends with the others.
            time.sleep(600 if "-ps" in socket.gethostname() else 0)
            """
        }
    )
    run = bench.run(
        """
        framework: tensorflow
        tensorflow: {distributed: {worker: 2, ps: 1}, tensorboard: false}
        run: python3 talk.py
        """
    )
    assert run.state is State.FINISHED, bench.log(run.number or 0)
    number = run.number
    hosts = [f"lab-{number}-1-{job}.riseml:2222" for job in ("master", "ps", "worker")]
    assert f"reached {' '.join(hosts)}\n" in bench.log(run.number or 0)


@pytest.mark.parametrize("victim", ["conmon", "controller"])
def test_a_job_survives_what_runs_beside_it(bench: Bench, victim: str) -> None:
    if victim == "conmon" and bench.engine.runner == "docker":  # type: ignore[attr-defined]
        pytest.skip("containers of docker have no conmon")
    bench.write({"train.py": ONCE})
    run = bench.train("run: python3 train.py").number
    bench.until_logged(run, "ready")
    folder = job_folder(bench, run)
    if victim == "controller":
        names = psutil.process_iter(["cmdline"])
        words = f"riseml.engines.local.controller {bench.engine.home}"  # type: ignore[attr-defined]
        pids = [p.pid for p in names if words in " ".join(p.info["cmdline"] or ())]
    else:
        pids = processes_named(folder, victim)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    (output(bench, run) / "go").touch()
    status = ended(bench, run)
    assert status.state is State.FINISHED
    assert bench.log(run) == "ready\ndone\n"
    assert (output(bench, run) / "starts").read_text() == "start\n"


@pytest.mark.parametrize("victim", ["attendant", "supervisor", "entry"])
def test_a_job_whose_own_process_is_killed_fails_once(
    bench: Bench, victim: str
) -> None:
    bench.write({"train.py": ONCE})
    run = bench.train("run: python3 train.py").number
    bench.until_logged(run, "ready")
    folder = job_folder(bench, run)
    supervisor = int((folder / "pid").read_text().split()[0])
    key = processes.key_of(supervisor) or ""
    pids = {
        "attendant": [
            pid
            for pid in psutil.Process(supervisor).children()
            if "attendant" in pid.cmdline()
        ],
        "supervisor": [psutil.Process(supervisor)],
        "entry": [
            process
            for process in map(psutil.Process, processes.members(key))
            if "First process of a container" in " ".join(process.cmdline())
        ],
    }[victim]
    assert pids
    for process in pids:
        process.kill()
    status = ended(bench, run)
    assert status.state is State.FAILED
    assert (output(bench, run) / "starts").read_text() == "start\n"
    assert processes.members(key) == set()


def test_a_job_that_uses_too_much_memory_is_told_so(bench: Bench) -> None:
    run = bench.run(
        """
        resources: {cpus: 0.1, mem: 64}
        run: python3 -c 'print(len(bytearray(400_000_000)))'
        """
    )
    assert run.state is State.FAILED
    job = run.experiments[0].jobs[0]
    assert (job.exit_code, job.reason) == (137, "OOM")
    assert "the job used more memory than its `mem`" in bench.log(run.number or 0)
