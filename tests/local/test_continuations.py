"""Experiments that continue from an earlier run: added to its set, or with its output."""

from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode
from riseml.client.types import Overrides
from riseml.errors import InvalidInputError, OtherCodeError
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.local.conftest import Lab

# It counts its epochs in a file, from where its predecessor has stopped.
_TRAINER = """
import os, sys
output, resume = os.environ["OUTPUT_DIR"], os.environ.get("RESUME_DIR", "")
begin = 0
if resume and os.path.exists(resume + "/epochs"):
    begin = int(open(resume + "/epochs").read())
print("from", begin, flush=True)
for epoch in range(begin, int(os.environ["EPOCHS"])):
    open(output + "/epochs", "w").write(str(epoch + 1))
    if epoch == 2 and not resume:
        sys.exit(3)
"""
_CONFIG = """
project: lab
train:
  image: busybox
  resources: {cpus: 0.01, mem: 1M}
  concurrency: 3
  parameters: {lr: [0.1, 0.2], epochs: 5}
  run: python3 train.py
"""


@pytest.fixture
def client(lab: Lab) -> Client:
    lab.write({"train.py": _TRAINER, "riseml.yml": _CONFIG})
    return Client(engine=lab.engine)


def folder(lab: Lab, *parameters: str) -> FolderCode:
    return FolderCode(lab.folder / "riseml.yml", Overrides(parameters))


def train(lab: Lab, client: Client, *parameters: str, resume: str | None = None) -> str:
    file = lab.folder / "riseml.yml"
    run = client.train(file, overrides=Overrides(parameters), resume=resume)
    client.wait(run.id)
    return run.id


def read(lab: Lab, run: str) -> SetStatus:
    return lab.engine.read(Id(number=int(run)))


def begins(lab: Lab, run: str, sub: int) -> list[str]:
    """Return the first epoch of each attempt."""
    lines = lab.log(Id(number=int(run), sub=sub)).splitlines()
    return [line.removeprefix("from ") for line in lines if line.startswith("from")]


def test_a_set_is_extended_by_what_a_wider_grid_adds(lab: Lab, client: Client) -> None:
    run = train(lab, client, "epochs=1")
    wider = folder(lab, "epochs=1", "lr=0.3,0.1,0.2,0.4")
    grown = client.extend(run, wider)
    assert grown.experiments == (f"{run}.3", f"{run}.4")
    client.wait(run)
    status = read(lab, run)
    assert [
        (experiment.sub, experiment.parameters["lr"], experiment.state)
        for experiment in status.experiments
    ] == [
        (1, "0.1", State.FINISHED),
        (2, "0.2", State.FINISHED),
        (3, "0.3", State.FINISHED),
        (4, "0.4", State.FINISHED),
    ]
    assert [len(experiment.jobs) for experiment in status.experiments] == [1] * 4
    # The grid has nothing more.
    assert client.extend(run, wider).experiments == ()
    # A further extension continues the numbers.
    wider = folder(lab, "epochs=1", "lr=0.1,0.5")
    assert client.extend(run, wider).experiments == (f"{run}.5",)
    client.wait(run)
    listed = client.runs(all=True, experiments=True)[0]
    assert [experiment.sub for experiment in listed.experiments] == [1, 2, 3, 4, 5]


def test_other_code_needs_consent(lab: Lab, client: Client) -> None:
    run = train(lab, client, "epochs=1")
    lab.write({"train.py": f"{_TRAINER}\nprint('new')\n"})
    wider = folder(lab, "epochs=1", "lr=0.1,0.3")
    with pytest.raises(OtherCodeError, match=r"what differs: code \(train.py\)$"):
        client.extend(run, wider)
    assert len(read(lab, run).experiments) == 2
    assert client.extend(run, wider, other_code=True).experiments == (f"{run}.3",)
    client.wait(run)
    old, _, new = read(lab, run).experiments
    assert "new" in lab.log(Id(number=int(run), sub=3))
    assert "new" not in lab.log(Id(number=int(run), sub=1))
    assert (old.shard, new.shard) == (1, 2)
    # What the set ran last is no other code.
    assert client.extend(run, folder(lab, "epochs=1", "lr=0.4")).experiments


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("train.resources.cpus=2", "resources"),
        ("train.run=python3 train.py --fast", "run"),
        ("train.image=busybox:2", "image"),
        ("train.env.A=1", "env"),
        ("train.resources.mem=2M", ""),
        ("train.timeout=1h", ""),
        ("train.concurrency=2", ""),
    ],
)
def test_what_decides_whether_code_is_the_same(
    lab: Lab, client: Client, setting: str, difference: str
) -> None:
    run = train(lab, client, "epochs=1", "lr=0.1")
    overrides = Overrides(("epochs=1", "lr=0.2"), (setting,))
    changed = FolderCode(lab.folder / "riseml.yml", overrides)
    if not difference:
        assert client.extend(run, changed).experiments == (f"{run}.2",)
        client.wait(run)
        return
    with pytest.raises(OtherCodeError, match=f"what differs: {difference}$"):
        client.extend(run, changed)


def test_only_sets_of_the_project_are_extended(lab: Lab, client: Client) -> None:
    run = train(lab, client, "epochs=1")
    with pytest.raises(InvalidInputError, match="can only extend sets"):
        client.extend(f"{run}.1", folder(lab))
    other = lab.folder / "other.yml"
    other.write_text(_CONFIG.replace("project: lab", "project: other"))
    with pytest.raises(InvalidInputError, match="belongs to project lab, not to other"):
        client.extend(run, FolderCode(other))
    single = lab.folder / "single.yml"
    single.write_text(
        _CONFIG.replace("parameters: {lr: [0.1, 0.2], epochs: 5}", "env: {EPOCHS: '1'}")
    )
    with pytest.raises(InvalidInputError, match="has no `parameters`"):
        client.extend(run, FolderCode(single))
    alone = client.train(single)
    client.wait(alone.id)
    with pytest.raises(InvalidInputError, match="is a single experiment"):
        client.extend(alone.id, folder(lab))


def test_each_experiment_continues_the_one_with_its_parameters(
    lab: Lab, client: Client
) -> None:
    run = train(lab, client)
    assert [experiment.state for experiment in read(lab, run).experiments] == [
        State.FAILED,
        State.FAILED,
    ]
    # The number of epochs is the same in the set, so it may differ in the next one.
    after = train(lab, client, "epochs=7", "lr=0.2,0.1,0.3", resume=run)
    assert read(lab, after).state is State.FINISHED
    assert [begins(lab, after, sub) for sub in (1, 2, 3)] == [["3"], ["3"], ["0"]]
    resumed = [experiment.resume for experiment in read(lab, after).experiments]
    assert resumed == [f"me/lab/{run}/2", f"me/lab/{run}/1", ""]
    # The output of the predecessor is as it was.
    assert (lab.output(int(run), 1) / "epochs").read_text() == "3"


def test_one_experiment_serves_all(lab: Lab, client: Client) -> None:
    run = train(lab, client)
    after = train(lab, client, "lr=0.5,0.6", resume=f"{run}.2")
    assert [begins(lab, after, sub) for sub in (1, 2)] == [["3"], ["3"]]


def test_a_predecessor_must_exist_and_have_ended(
    lab: Lab, client: Client, tmp_path: Path
) -> None:
    run = train(lab, client, "epochs=1")
    with pytest.raises(InvalidInputError, match="has the parameters of one in riseml"):
        train(lab, client, "lr=0.7", resume=run)
    waiting = lab.train(f"run: 'until test -e {tmp_path}/go; do sleep 0.05; done'")
    with pytest.raises(InvalidInputError, match="has not ended"):
        train(lab, client, resume=str(waiting.number))
    (tmp_path / "go").touch()
    lab.wait(waiting.number)


def test_the_output_of_a_predecessor_cannot_be_changed(
    lab: Lab, client: Client
) -> None:
    lab.write({"train.py": "import os\nopen(os.environ['OUTPUT_DIR'] + '/a', 'w')\n"})
    run = train(lab, client, "lr=0.1")
    lab.write({"train.py": "open('/resume/a').read(); open('/resume/b', 'w')\n"})
    after = train(lab, client, "lr=0.1", resume=run)
    log = lab.log(int(after))
    if "No such file" in log:
        pytest.skip("this machine allows no mounts")
    assert "Read-only file system" in log
    assert not (lab.output(int(run), 1) / "b").exists()


def test_without_mounts_the_variable_names_the_folder(
    lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_MOUNTS", "off")
    run = train(lab, client)
    after = train(lab, client, "lr=0.1,0.3", resume=run)
    assert [begins(lab, after, sub) for sub in (1, 2)] == [["3"], ["0"]]


def test_an_experiment_continues_in_place(lab: Lab, client: Client) -> None:
    run = train(lab, client)
    grown = client.retry(run, folder=folder(lab), resume=True)
    assert grown.experiments == (f"{run}.1", f"{run}.2")
    client.wait(run)
    status = read(lab, run)
    assert status.state is State.FINISHED
    assert begins(lab, run, 1) == ["0", "3"]
    assert (lab.output(int(run), 1) / "epochs").read_text() == "5"


@pytest.mark.parametrize("end", ["kill", "timeout"])
def test_killed_and_timed_out_experiments_continue_as_well(
    lab: Lab, client: Client, tmp_path: Path, end: str
) -> None:
    lab.write(
        {
            "train.py": f"""
            import os, time
            if os.environ.get("RESUME_DIR"):
                print("from", open(os.environ["RESUME_DIR"] + "/epochs").read())
                raise SystemExit
            open(os.environ["OUTPUT_DIR"] + "/epochs", "w").write("1")
            open({str(tmp_path / "on")!r}, "w")
            time.sleep(600)
            """
        }
    )
    settings = ("train.timeout=3s",) if end == "timeout" else ()
    file = lab.folder / "riseml.yml"
    run = client.train(file, overrides=Overrides(("lr=0.1",), settings))
    lab.until((tmp_path / "on").exists)
    if end == "kill":
        client.kill(run.id)
    client.wait(run.id)
    after = train(lab, client, "lr=0.1", resume=run.id)
    assert begins(lab, after, 1) == ["1"]
    # A retry of the continuation continues the same predecessor.
    repetition = client.rerun(after)
    client.wait(repetition.id)
    assert begins(lab, repetition.id, 1) == ["1"]


def test_a_random_search_is_extended_by_further_trials_of_its_seed(
    lab: Lab, client: Client
) -> None:
    """The file leaves the seed open, so only the set knows it."""
    random_config = _CONFIG.replace(
        "lr: [0.1, 0.2], epochs: 5}", "lr: {uniform: [0, 1]}, epochs: 1}"
    )
    lab.write({"riseml.yml": random_config})
    file = lab.folder / "riseml.yml"

    def trials(count: int) -> Overrides:
        return Overrides((), (f"train.search={{method: random, trials: {count}}}",))

    run = client.train(file, overrides=trials(3)).id
    client.wait(run)
    first = [experiment.parameters for experiment in read(lab, run).experiments]
    grown = client.extend(run, FolderCode(file, trials(5)))
    assert grown.experiments == (f"{run}.4", f"{run}.5")
    client.wait(run)
    drawn = [experiment.parameters for experiment in read(lab, run).experiments]
    assert drawn[:3] == first
    assert len({parameters["lr"] for parameters in drawn}) == 5
