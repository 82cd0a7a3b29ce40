"""Install steps on this machine: they run once per key, and jobs use the environment and files they create."""

import json
import os
import subprocess
import time
from pathlib import Path

from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab

INSTALL = """
install:
  - apt-get install -y libfoo
  - |
    printf '#!/bin/sh\\necho installed tool\\n' > $VIRTUAL_ENV/bin/mytool && chmod +x $VIRTUAL_ENV/bin/mytool
  - cat requirements.txt; echo made > made.txt
"""


def kinds(lab: Lab, number: int) -> list[str]:
    return [job.type for job in lab.engine.read(Id(number=number)).jobs]


def test_a_build_runs_once_per_key_and_jobs_run_in_what_it_made(lab: Lab) -> None:
    lab.write({"requirements.txt": "nothing\n", "code.py": "1\n"})
    run = "run: [mytool, cat made.txt, ls, python3 -c 'import sys; print(sys.prefix)']"
    first = lab.run(INSTALL + run)
    assert first.state is State.FINISHED
    assert [(job.id, job.state) for job in first.jobs] == [("1.build", State.FINISHED)]
    log = lab.log(1)
    assert "skipped: apt-get install -y libfoo" in log
    assert "nothing" in log
    assert "installed tool\nmade\ncode.py\nmade.txt\nrequirements.txt\n" in log
    assert str(lab.engine.home / "envs") in log.splitlines()[-1]

    lab.write({"code.py": "2\n"})
    assert lab.run(INSTALL + run).state is State.FINISHED
    # An edit of the code builds nothing.
    assert kinds(lab, 2) == []

    lab.write({"requirements.txt": "something else\n"})
    assert lab.run(INSTALL + run).state is State.FINISHED
    assert kinds(lab, 3) == ["build"]


def test_a_failing_install_step_fails_the_experiments_and_is_named(lab: Lab) -> None:
    run = lab.run(
        "install: [echo one, 'echo two; exit 7', echo three]\nparameters: {n: [1, 2]}\nrun: 'true'"
    )
    assert run.state is State.FAILED
    assert [(e.state, e.guilty, e.exit_code) for e in run.experiments] == [
        (State.FAILED, "1.build", 7)
    ] * 2
    log = lab.log(Id(number=1, type="build"))
    assert "install step failed with exit code 7: echo two; exit 7" in log
    assert (
        run.jobs[0].message == "install step failed with exit code 7: echo two; exit 7"
    )
    assert "three" not in log.splitlines()
    assert (
        lab.run(
            "install: [echo one, 'echo two; exit 7', echo three]\nrun: 'true'"
        ).state
        is State.FAILED
    )


def test_two_runs_of_one_key_build_once(lab: Lab, tmp_path: Path) -> None:
    text = f"install: ['echo x >> {tmp_path}/built; sleep 0.5']\nrun: echo ran"
    numbers = [lab.train(text).number for _ in range(2)]
    assert [lab.wait(number).state for number in numbers] == [State.FINISHED] * 2
    assert (tmp_path / "built").read_text() == "x\n"


def test_a_killed_build_starts_from_scratch(lab: Lab, tmp_path: Path) -> None:
    text = f"install: 'touch {tmp_path}/on; test -e {tmp_path}/go || sleep 600'\nrun: echo ran"
    number = lab.train(text).number
    lab.until((tmp_path / "on").exists)
    assert lab.engine.read(Id(number=number)).state is State.BUILDING
    lab.engine.stop(Id(number=number), force=True)
    assert lab.wait(number).state is State.KILLED
    (tmp_path / "go").touch()
    assert lab.run(text).state is State.FINISHED


def test_unused_environments_are_removed(lab: Lab) -> None:
    lab.run("install: 'true'\nrun: 'true'")
    lab.run("install: 'false'\nrun: 'true'")
    envs = lab.engine.home / "envs"
    assert len(list(envs.iterdir())) == 2
    assert lab.engine.prune_unused(time.time() - 3600).builds == 0
    assert lab.engine.prune_unused(time.time() + 1).builds == 2
    assert list(envs.iterdir()) == []
    assert lab.run("install: 'true'\nrun: 'true'").state is State.FINISHED


def test_only_code_without_runs_is_removed(lab: Lab) -> None:
    revisions = []
    for text in ("one", "two"):
        lab.write({"code.txt": text})
        revisions.append(lab.run("run: cat code.txt").revision)
    lab.engine.delete(Id(number=1))
    repository = lab.engine.home / "store/repos/lab.git"
    (note,) = lab.engine.prune_unused(0).notes
    assert note.startswith("Kept 1 revision of lab, which no run uses: code was synced")
    os.utime(repository / "refs/heads/riseml", (1, 1))
    (note,) = lab.engine.prune_unused(0).notes
    assert note.startswith("Removed 1 revision of lab (")
    assert note.endswith("which no run uses; kept 1 revision of lab, which runs use.")
    exists = [
        subprocess.run(
            ["git", f"--git-dir={repository}", "cat-file", "-e", revision], check=False
        ).returncode
        == 0
        for revision in revisions
    ]
    assert exists == [False, True]
    lab.write({"code.txt": "one"})
    assert lab.run("run: cat code.txt").state is State.FINISHED
    assert lab.engine.prune_unused(0).notes == (
        "Kept 2 revisions of lab, which runs use.",
    )


def test_a_run_that_has_not_ended_keeps_its_code_and_all_environments(
    lab: Lab,
) -> None:
    lab.write({"code.txt": "gone"})
    lab.run("install: 'true'\nrun: 'true'")
    lab.engine.delete(Id(number=1))
    lab.write({"code.txt": "used"})
    number = lab.train("run: sleep 1000").number
    branch = lab.engine.home / "store/repos/lab.git/refs/heads/riseml"
    os.utime(branch, (1, 1))
    pruned = lab.engine.prune_unused(time.time() + 1)
    assert pruned.builds == 0
    environments, code = pruned.notes
    assert environments == f"Kept environments, because runs have not ended: {number}."
    assert code.startswith("Removed 1 revision of lab")
    assert code.endswith("; kept 1 revision of lab, which runs use.")
    assert lab.engine.read(Id(number=number)).state is State.RUNNING


def counting(folder: Path, name: str, then: str = ":") -> str:
    """Return a step that writes a line each time it runs."""
    return f"echo {name} >> {folder}/ran; {then}"


def steps(*lines: str) -> str:
    """Return the keys `install` and `run` of a riseml.yml, with steps as they are."""
    return f"install: {json.dumps(lines)}\n"


def test_a_change_repeats_only_what_follows_it(lab: Lab, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    lab.write({"a.txt": "a1\n", "b.txt": "b1\n"})
    one = counting(tmp_path, "one", "cat a.txt > one; mkdir $VIRTUAL_ENV/etc")
    two = counting(tmp_path, "two", "echo $VIRTUAL_ENV > $VIRTUAL_ENV/etc/home")
    three = counting(tmp_path, "three", "cat b.txt > three")
    run = "run: 'cat one three; cat $VIRTUAL_ENV/etc/home; echo $VIRTUAL_ENV'"

    def log_of(*install: str) -> list[str]:
        assert lab.run(steps(*install) + run).state is State.FINISHED
        number = lab.engine.latest("lab").number
        *_, first, second, home, folder = lab.log(Id(number=number)).split()
        # Files that contain the path of their environment contain that of the copy.
        assert home == folder
        return [first, second, *ran.read_text().split()]

    assert log_of(one, two, three) == ["a1", "b1", "one", "two", "three"]
    ran.unlink()
    lab.write({"b.txt": "b2\n"})
    assert log_of(one, two, three) == ["a1", "b2", "three"]
    ran.unlink()
    # A complete environment is continued as well.
    assert log_of(one, two, three, counting(tmp_path, "four")) == ["a1", "b2", "four"]
    ran.unlink()
    lab.write({"a.txt": "a2\n"})
    assert log_of(one, two, three) == ["a2", "b2", "one", "two", "three"]


def test_a_failing_step_is_repeated_without_those_before_it(
    lab: Lab, tmp_path: Path
) -> None:
    text = steps(
        counting(tmp_path, "one"), counting(tmp_path, "two", f"test -e {tmp_path}/go")
    )
    assert lab.run(text + "run: 'true'").state is State.FAILED
    (tmp_path / "go").touch()
    assert lab.run(text + "run: 'true'").state is State.FINISHED
    assert (tmp_path / "ran").read_text().split() == ["one", "two", "two"]
