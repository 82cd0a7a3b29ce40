"""`riseml train`, init, check, schema, compile, delete and prune."""

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from riseml.cli import output
from riseml.client.client import Client
from riseml.config import json_schema
from riseml.engines import Change, Chunk
from riseml.project import Exclusion
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single
from tests.cli.test_schemas import validate

HEAD = "project: toaster-net\ntrain:\n  image: python:3.12\n  resources: {cpus: 1.5, mem: 512}\n"
PLAIN = HEAD + "  run: [python fit.py, echo done]\n"
GRID = (
    HEAD
    + "  parameters: {lr: [1e-6, 0.10], opt: [adam, sgd]}\n  concurrency: 2\n  run: fit {{lr}} {{opt}}\n"
)
SYNC = "Syncing project (2.0 KB, 3 files)...done\n"


@pytest.fixture(autouse=True)
def _project() -> None:
    Path("riseml.yml").write_text(PLAIN)


def test_train_in_background(engine: FakeEngine, riseml: Riseml) -> None:
    engine.excluded = (Exclusion("data/", ".gitignore", 1_200_000),)
    engine.warnings, engine.notes = ("big tree",), ("no limits here",)
    result = riseml("train")
    assert (result.status, result.out) == (
        0,
        "Started experiment 14 in the background.\n",
    )
    assert result.err == (
        "Syncing project (2.0 KB, 3 files; left out by .gitignore: data/ 1.1 MB; `--no-gitignore` brings it)...done\n"
        "big tree\nno limits here\n"
        "`riseml logs 14` shows its log, `riseml status 14` its state.\n"
    )


def test_train_names_what_each_ignore_file_leaves_out(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.excluded = (
        Exclusion("big/", ".gitignore", 5 << 30, complete=False),
        Exclusion("notes", ".risemlignore", 10),
        Exclusion("sub/a.key", "sub/.gitignore", 5),
        Exclusion("mnt/", ".gitignore", None, complete=False),
        *(Exclusion(f"{number}.pt", ".gitignore", 1) for number in range(3)),
    )
    assert riseml("train").err.splitlines()[0] == (
        "Syncing project (2.0 KB, 3 files; left out by .gitignore: big/ more than 5.0 GB, mnt/, 0.pt 1 B, "
        "1.pt 1 B and 1 more; left out by sub/.gitignore: sub/a.key 5 B; `--no-gitignore` brings it; "
        "left out by .risemlignore: notes 10 B)...done"
    )


def test_train_names_what_cp_wrote(engine: FakeEngine, riseml: Riseml) -> None:
    engine.excluded = (Exclusion("model.pt", "riseml cp", 20 << 20),)
    assert riseml("train").err.splitlines()[0] == (
        "Syncing project (2.0 KB, 3 files; left out, since RiseML wrote it: model.pt 20.0 MB;"
        " `--no-gitignore` brings it)...done"
    )


def test_check_and_dry_run_name_what_is_left_out(riseml: Riseml) -> None:
    Path(".gitignore").write_text("data/\n")
    Path("data").mkdir()
    Path("data/train.csv").write_text("x" * 2048)
    left_out = "left out by .gitignore: data/ 2.0 KB; `--no-gitignore` brings it"
    assert f"Code: 6 B, 1 file; {left_out}" in riseml("train", "--dry-run").out
    record = json.loads(riseml("train", "--dry-run", "-o", "json").out)
    assert record["excluded"] == [
        {"path": "data/", "source": ".gitignore", "size": 2048, "complete": True}
    ]
    assert riseml("check").err.splitlines()[-1] == (
        f"Its code is its folder; {left_out}."
    )


def test_train_says_how_its_tensorboard_is_opened(
    engine: FakeEngine, riseml: Riseml
) -> None:
    Path("riseml.yml").write_text(PLAIN + "  framework: tensorflow\n")
    engine.started_run = replace(
        single(14, State.FINISHED), tensorboard_url="http://127.0.0.1:24010"
    )
    # It does not answer yet.
    line = "`riseml tensorboard 14` opens its TensorBoard.\n"
    result = riseml("train")
    assert result.out == "Started experiment 14 in the background.\n"
    assert line in result.err
    assert (
        json.loads(riseml("train", "-o", "json").out)["tensorboard"]
        == "http://127.0.0.1:24010"
    )
    result = riseml("train", "-l")
    assert line in result.err
    assert "24010" not in result.out + result.err
    Path("riseml.yml").write_text(PLAIN)
    assert "TensorBoard" not in riseml("train").err


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("name", "14\n"),
        (
            "json",
            json.dumps(
                {
                    "id": "14",
                    "name": "toaster-net-14",
                    "project": "toaster-net",
                    "type": "experiment",
                    "experiments": 1,
                    "revision": "0" * 40,
                    "files": 3,
                    "bytes": 2048,
                },
                indent=2,
            )
            + "\n",
        ),
    ],
)
def test_train_for_scripts(form: str, out: str, riseml: Riseml) -> None:
    result = riseml("submit", "-o", form)
    assert (result.status, result.out, result.err) == (0, out, SYNC)


def test_train_prints_warnings_to_stderr(riseml: Riseml) -> None:
    Path("riseml.yml").write_text(PLAIN.replace("echo done", "'echo {{lr}}'"))
    result = riseml("train")
    assert result.status == 0
    assert "riseml.yml:5:" in result.err
    assert "warning" in result.err


@pytest.mark.parametrize(
    ("state", "status", "sentence"),
    [
        (State.FINISHED, 0, "Experiment 14 FINISHED after 1m 0s."),
        (
            State.FAILED,
            100,
            "Experiment 14 FAILED after 1m 0s (14.train, exit code 3).",
        ),
        (State.KILLED, 103, "Experiment 14 KILLED after 1m 0s."),
    ],
)
def test_train_with_logs_exits_with_the_outcome(
    state: State, status: int, sentence: str, engine: FakeEngine, riseml: Riseml
) -> None:
    failure = {"exit_code": 3, "guilty": "14.train"} if state is State.FAILED else {}
    engine.started_run = single(14, state, **failure)
    engine.events = [Chunk("14.train", b"epoch 1\n"), Change("14.train", str(state))]
    result = riseml("train", "-l")
    assert result.status == status
    assert result.out == f"14.train | epoch 1\n14.train | --> {state}\n"
    assert (
        result.err
        == f"{SYNC}Started experiment 14; Ctrl-C leaves it running in the background.\n{sentence}\n"
    )


def test_ctrl_c_of_train_with_logs_only_detaches(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.interrupt = True
    result = riseml("train", "-l")
    assert result.status == 0
    assert "Experiment 14 continues in the background: `riseml logs 14`" in result.err


def test_the_outcome_of_a_set_names_failed_experiments(
    engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.runs = [grid(15, [State.FAILED] * 7 + [State.FINISHED])]
    assert riseml("wait", "15").out == (
        "Set 15 FAILED after 1h 0m 0s: 7 failed (15.1, 15.2, 15.3, 15.4, 15.5, ...), 1 finished.\n"
    )


def test_a_faulty_file_starts_nothing(engine: FakeEngine, riseml: Riseml) -> None:
    Path("riseml.yml").write_text(PLAIN.replace("image", "imge"))
    result = riseml("train", "-l")
    assert (result.status, result.out, engine.calls) == (2, "", [])
    assert result.err.startswith("riseml.yml:3:3: error: ")
    assert "image" in result.err


def test_a_missing_file_suggests_init(riseml: Riseml) -> None:
    Path("riseml.yml").unlink()
    result = riseml("train")
    assert result.status == 2
    assert "riseml.yml: error: the file does not exist" in result.err
    assert "riseml init" in result.err


def test_gitignore_applies_unless_disabled(engine: FakeEngine, riseml: Riseml) -> None:
    riseml("train")
    riseml("train", "--no-gitignore")
    assert [call[3] for call in engine.calls if call[0] == "snapshot"] == [True, False]


def test_the_code_is_the_folder_of_the_file(
    engine: FakeEngine, riseml: Riseml, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    big = f"{PLAIN}# big\n"
    (tmp_path / "other" / "riseml_big.yml").write_text(big)
    assert riseml("train", "-f", "../other/riseml_big.yml").status == 0
    assert engine.calls[0][2] == tmp_path / "toaster-net" / ".." / "other"
    assert engine.calls[1][1].plan.config == big


def test_a_dry_run_shows_the_plan_and_starts_nothing(
    engine: FakeEngine, riseml: Riseml
) -> None:
    Path("riseml.yml").write_text(GRID)
    Path("fit.py").write_text("x" * 3000)
    result = riseml("train", "--dry-run")
    assert (result.status, result.err, engine.calls) == (
        0,
        "Nothing was started.\n",
        [],
    )
    assert result.out == (
        "Project: toaster-net\nWould start: a set of 4 experiments, 2 at a time\nImage: python:3.12\n"
        "Code: 2.9 KB, 1 file\n\n"
        "JOB           COUNT  GPU    CPU    MEM    RUN\n"
        "train         1      0      1.5    512    fit {{lr}} {{opt}}\n\n"
        "SUB    lr     opt\n"
        "1      1e-6   adam\n2      1e-6   sgd\n3      0.10   adam\n4      0.10   sgd\n"
    )


def test_a_dry_run_as_json_lists_all_experiments(
    engine: FakeEngine, riseml: Riseml
) -> None:
    Path("riseml.yml").write_text(
        GRID.replace("[adam, sgd]", "{range: {min: 1, max: 30, step: 1}}")
    )
    plan = json.loads(riseml("train", "--dry-run", "-o", "json").out)
    assert len(plan["experiments"]) == 60
    assert plan["experiments"][0] == {
        "sub": 1,
        "parameters": {"lr": "1e-6", "opt": "1"},
    }
    assert (plan["type"], plan["concurrency"], plan["files"]) == ("set", 2, 0)
    assert plan["jobs"][0]["resources"] == {"cpus": 1.5, "mem": 512_000_000, "gpus": 0}
    assert "... and 40 more; `-o json` lists all" in riseml("train", "--dry-run").out
    assert engine.calls == []


def test_a_dry_run_shows_a_share_of_a_gpu_as_it_is_written(riseml: Riseml) -> None:
    Path("riseml.yml").write_text(GRID)
    settings = ("--set", "train.resources={gpus: 0.250, gpu_mem: 8G, gpu_type: t4}")
    table = riseml("train", "--dry-run", *settings).out
    assert "train         1      0.250  1.0    512    fit" in table
    record = json.loads(riseml("train", "--dry-run", "-o", "json", *settings).out)
    assert record["jobs"][0]["resources"] == {
        "cpus": 1.0,
        "mem": 512_000_000,
        "gpus": 0.25,
        "gpu_mem": 8_000_000_000,
        "gpu_type": "t4",
    }
    validate("train-dry-run", json.dumps(record))


def test_a_dry_run_for_scripts_is_the_plan(engine: FakeEngine, riseml: Riseml) -> None:
    Path("riseml.yml").write_text(GRID.replace("lr", "sub"))
    plan = json.loads(riseml("train", "--dry-run", "-o", "json").out)
    assert yaml.safe_load(riseml("train", "--dry-run", "-o", "yaml").out) == plan
    rows = riseml("train", "--dry-run", "-o", "csv").out.splitlines()
    assert rows[0] == "sub,opt,param.sub"
    assert len(rows) == 1 + len(plan["experiments"])
    assert rows[1] == "1,adam,1e-6"
    assert engine.calls == []


def test_compile_to_stdout_and_to_files(riseml: Riseml) -> None:
    printed = riseml("compile").out
    document = yaml.safe_load(printed)
    assert document["metadata"]["generateName"] == "toaster-net-"
    result = riseml("compile", "-o", "workflow.yaml")
    assert result.out == ""
    assert result.err.startswith("Wrote workflow.yaml.\nThe document needs:\n")
    assert Path("workflow.yaml").read_text() == printed
    riseml("compile", "-o", "workflow.json", "--number", "7", "--user", "paul")
    assert (
        json.loads(Path("workflow.json").read_text())["metadata"]["name"]
        == "toaster-net-7"
    )
    assert json.loads(riseml("compile", "-o", "json").out) == document
    assert sorted(path.name for path in Path().iterdir()) == [
        "riseml.yml",
        "workflow.json",
        "workflow.yaml",
    ]


def test_compile_uses_code_from_git(riseml: Riseml) -> None:
    assert (
        "https://example.org/toaster.git"
        in riseml("compile", "--git", "https://example.org/toaster.git").out
    )


def test_compile_writes_to_a_pipe_and_through_a_link(
    riseml: Riseml, tmp_path: Path
) -> None:
    pipe, link, file = (tmp_path / name for name in ("pipe", "link", "file.yaml"))
    os.mkfifo(pipe)
    link.symlink_to(file)
    file.write_text("old")
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        riseml("compile", "-o", str(pipe))
        assert reader.stdout
        printed = reader.stdout.read()
    assert pipe.is_fifo()
    riseml("compile", "-o", str(link))
    assert link.is_symlink()
    assert file.read_text("utf-8") == printed == riseml("compile").out


def test_compile_says_on_stderr_what_the_document_needs(riseml: Riseml) -> None:
    needs = riseml("compile").err.splitlines()
    assert needs[0] == "The document needs:"
    assert needs[-1] == "`riseml compile --standalone` needs only Argo."
    assert "  the claims riseml-data, riseml-output, riseml-store" in needs
    assert (
        "  code, which the document does not have: write --git URL, or --standalone"
        in needs
    )


def test_compile_writes_a_template_and_a_cron_workflow(riseml: Riseml) -> None:
    Path("riseml.yml").write_text(GRID)
    template = yaml.safe_load(riseml("compile", "--template", "--git", "x").out)
    names = [entry["name"] for entry in template["spec"]["arguments"]["parameters"]]
    assert (template["kind"], names) == ("WorkflowTemplate", ["lr", "opt"])
    result = riseml("compile", "--cron", "0 3 * * *", "--standalone")
    cron = yaml.safe_load(result.out)
    assert (cron["kind"], cron["spec"]["schedules"]) == ("CronWorkflow", ["0 3 * * *"])
    assert "serviceAccountName" not in cron["spec"]["workflowSpec"]
    assert "  images that nodes can pull: python:3.12" in result.err.splitlines()


def test_compile_writes_a_standalone_document(riseml: Riseml) -> None:
    result = riseml("compile", "--standalone", "--keep", "claim:team")
    spec = yaml.safe_load(result.out)["spec"]
    output = {"name": "output", "persistentVolumeClaim": {"claimName": "team"}}
    assert output in spec["volumes"]
    assert "riseml-job" not in result.out
    assert "  the claims team" in result.err.splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--keep", "artifacts"), "--keep is for standalone documents"),
        (("--standalone", "--keep", "claim"), "does not say which claim"),
        (("--standalone", "--keep", "disk"), "nothing keeps output like this: 'disk'"),
        (("--standalone", "--keep", "artifacts:x"), "like this: 'artifacts:x'"),
        (("--template", "--cron", "@daily"), "are two kinds of documents"),
        (("--cron", "0 3 * *"), "'0 3 * *' is not a schedule"),
        (("--cron", "@daily", "--number", "7"), "Argo makes many of this document"),
        (
            ("--template", "--standalone", "--keep", "new-claim"),
            "a Workflow that calls a template gets no claim from it",
        ),
    ],
)
def test_compile_refuses_options_that_contradict_each_other(
    riseml: Riseml, words: tuple[str, ...], message: str
) -> None:
    result = riseml("compile", *words)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_compile_reports_what_cannot_be_written(riseml: Riseml) -> None:
    result = riseml("compile", "-o", "none/workflow.yaml")
    assert result.status == 1
    assert result.err.startswith(
        "riseml: error: cannot write none/workflow.yaml: No such file"
    )
    assert riseml("compile", "-f", "none.yml").status == 2


def test_check_reports_all_errors(riseml: Riseml) -> None:
    assert riseml("check").err == "riseml.yml is valid.\n"
    Path("riseml.yml").write_text(PLAIN.replace("image", "imge").replace("cpus", "cpu"))
    result = riseml("check")
    assert result.status == 2
    assert "riseml.yml:3:3: error" in result.out
    assert "riseml.yml:4:15: error" in result.out
    assert result.err.endswith(" errors.\n")
    faults = json.loads(riseml("check", "-o", "json").out)
    assert {(3, 3, "error"), (4, 15, "error")} <= {
        (fault["line"], fault["column"], fault["severity"]) for fault in faults
    }
    assert riseml("check", "-o", "json").status == 2


def test_check_with_warnings_only_is_valid(riseml: Riseml) -> None:
    Path("riseml.yml").write_text(PLAIN.replace("echo done", "'echo {{lr}}'"))
    result = riseml("check")
    assert (result.status, result.err) == (0, "riseml.yml is valid, with 1 warning.\n")
    assert "warning" in result.out


def test_schema_is_json(riseml: Riseml) -> None:
    assert (
        json.loads(riseml("schema").out)["$schema"]
        == "https://json-schema.org/draft/2020-12/schema"
    )


@pytest.mark.parametrize("template", ["plain", "grid", "tensorflow"])
def test_init_writes_what_check_accepts(template: str, riseml: Riseml) -> None:
    Path("riseml.yml").unlink()
    result = riseml("init", "--template", template)
    assert (result.status, result.out) == (0, "riseml.yml successfully created\n")
    schema, project = Path("riseml.yml").read_text().splitlines()[:2]
    assert project == "project: toaster-net"
    assert riseml("check").status == 0
    # The first line tells an editor where the schema is.
    prefix, _, path = schema.partition("=")
    assert prefix == "# yaml-language-server: $schema"
    assert json.loads(Path(path).read_text()) == json_schema()


@pytest.mark.parametrize(
    ("names", "program"),
    [
        (["train.py", "main.py", "model.py"], "train.py"),
        (["main.py", "model.py"], "main.py"),
        (["fit.py", "setup.py", "test_fit.py", "notes.txt"], "fit.py"),
        (["fit.py", "predict.py"], ""),
        (["my fit.py"], ""),
        ([], ""),
    ],
)
def test_init_starts_the_obvious_program(
    names: list[str], program: str, riseml: Riseml
) -> None:
    Path("riseml.yml").unlink()
    for name in names:
        Path(name).touch()
    result = riseml("init")
    run = yaml.safe_load(Path("riseml.yml").read_text())["train"]["run"]
    if program:
        assert run == [f"python {program}"]
        assert result.err.startswith(f"`run` starts {program}. Try `riseml check`")
    else:
        assert run[0].startswith("echo")
        assert result.err.startswith("Now fill in `run`")


@pytest.mark.parametrize(
    ("template", "steps"),
    [("plain", ["pip install -r requirements.txt"]), ("grid", None)],
)
def test_init_installs_the_requirements(
    template: str, steps: list[str] | None, riseml: Riseml
) -> None:
    Path("riseml.yml").unlink()
    Path("requirements.txt").write_text("numpy\n")
    riseml("init", "--template", template)
    train = yaml.safe_load(Path("riseml.yml").read_text())["train"]
    assert train.get("install") == steps
    assert riseml("check").status == 0


def test_the_keys_that_init_proposes_are_valid(riseml: Riseml) -> None:
    Path("riseml.yml").unlink()
    riseml("init")
    text = Path("riseml.yml").read_text()
    assert "\n  # parameters:" in text
    Path("requirements.txt").write_text("numpy\n")
    Path("riseml.yml").write_text(re.sub("(?m)^  # ", "  ", text))
    result = riseml("check")
    assert result.status == 0
    assert "the secret WANDB_API_KEY is not set" in result.out


def test_a_project_is_found_from_its_subfolders(
    engine: FakeEngine,
    riseml: Riseml,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("src/deep").mkdir(parents=True)
    monkeypatch.chdir("src/deep")
    result = riseml("train")
    assert result.status == 0
    assert result.err.startswith("Using ../../riseml.yml.\n")
    assert engine.calls[0][2].resolve() == tmp_path / "toaster-net"
    # A file that the user names is not looked for elsewhere.
    assert riseml("check", "-f", "riseml.yml").status == 2


def test_init_overwrites_nothing(riseml: Riseml) -> None:
    result = riseml("init")
    assert result.status == 1
    assert result.err.startswith("riseml: error: riseml.yml already exists\n")
    assert Path("riseml.yml").read_text() == PLAIN


def test_init_adapts_the_name_of_the_folder(
    riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.proj").mkdir()
    monkeypatch.chdir(tmp_path / "my.proj")
    result = riseml("init")
    assert (
        "'my.proj' is not a valid project name; the project is called my-proj."
        in result.err
    )
    assert yaml.safe_load(Path("riseml.yml").read_text())["project"] == "my-proj"
    result = riseml("init", "-f", "b.yml", "-n", "x")
    assert (result.status, Path("b.yml").exists()) == (2, False)
    assert "`riseml init -n x-project`" in result.err


@pytest.mark.parametrize(("answer", "deleted"), [(True, ["14"]), (False, [])])
def test_delete_and_prune_ask_on_a_terminal(
    answer: bool,
    deleted: list[str],
    engine: FakeEngine,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    questions: list[str] = []

    def ask(question: str) -> bool:
        questions.append(question)
        return answer

    monkeypatch.setattr(output, "can_ask", lambda: True)
    monkeypatch.setattr(output, "ask", ask)
    for words in (["delete", "14"], ["prune", "--older-than", "1d"]):
        engine.runs, engine.calls = [single(16), single(14, State.FAILED)], []
        result = riseml(*words)
        assert [call[1] for call in engine.calls if call[0] == "delete"] == deleted
        assert ("Nothing was deleted." in result.err) == (not answer)
    assert questions == [
        "Delete 14 (toaster-net, FAILED) with logs and output?",
        "Delete 1 run with logs and output?",
    ]
    assert riseml("delete", "14", "-y").status == (4 if answer else 0)
    assert len(questions) == 2


@pytest.mark.parametrize(
    "line", ["delete 14", "prune --older-than 1d", "user disable paul"]
)
def test_nothing_is_deleted_unasked_without_a_terminal(
    line: str,
    engine: FakeEngine,
    riseml: Riseml,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.runs = [single(14, State.FAILED)]
    users = SimpleNamespace(
        display=lambda name: SimpleNamespace(name=name, email="p@x.org"),
        disable=lambda _name: engine.calls.append(("disable",)),
        other_rights=lambda _user: (),
    )
    monkeypatch.setattr("riseml.cli.user._users", lambda _kubeconfig: users)
    result = riseml(*line.split())
    assert result.status == 2
    assert result.err.startswith("riseml: error: there is no terminal to ask on: D")
    assert result.err.endswith("?\nGive -y to agree.\n")
    assert not {"delete", "disable"} & {call[0] for call in engine.calls}
    assert riseml(*line.split(), "-y").status == 0
    assert {"delete", "disable"} & {call[0] for call in engine.calls}


@pytest.mark.parametrize(
    ("noun", "unused", "message"),
    [
        ("environment", 1, "Removed 1 environment that no run has used since.\n"),
        ("image", 2, "Removed 2 images that no run has used since.\n"),
        ("image", 0, ""),
    ],
)
def test_prune_names_unused_builds_as_the_engine_does(
    noun: str, unused: int, message: str, engine: FakeEngine, riseml: Riseml
) -> None:
    engine.build_noun, engine.unused, engine.runs = noun, unused, []
    assert (
        riseml("prune", "--older-than", "1d").err
        == f"Nothing ended more than 1d ago.\n{message}"
    )
    engine.calls.clear()
    assert (
        riseml("prune", "--older-than", "1d", "--dry-run").err
        == "Nothing ended more than 1d ago.\n"
    )
    assert {call[0] for call in engine.calls} == {"list"}


def test_values_of_a_command_line_are_what_runs(
    engine: FakeEngine, riseml: Riseml
) -> None:
    Path("riseml.yml").write_text(GRID)
    result = riseml("train", "lr=0.5", "opt=adam", "--set", "train.timeout=1h")
    assert result.status == 0
    ((_, submission),) = [call for call in engine.calls if call[0] == "start"]
    plan = submission.plan
    assert [dict(experiment.parameters) for experiment in plan.experiments] == [
        {"lr": "0.5", "opt": "adam"}
    ]
    assert plan.timeout == 3600
    # The run records the configuration with the changes.
    assert "parameters: {lr: 0.5, opt: adam}" in plan.config
    assert "timeout: 1h" in plan.config


def test_values_of_a_command_line_hold_for_check_compile_and_a_preview(
    riseml: Riseml,
) -> None:
    Path("other.yml").write_text(GRID)
    wrong = riseml("check", "other.yml", "lrr=0.5", "--set", "train.timeout=soon")
    assert wrong.status == 2
    assert wrong.out.splitlines()[:2] == [
        "lrr=0.5: error: riseml.yml declares no parameter 'lrr'",
        "    Did you mean 'lr'?",
    ]
    assert "--set train.timeout=soon: error: train.timeout must be" in wrong.out
    preview = riseml("train", "other.yml", "lr=1..3..1", "--dry-run", "-o", "json")
    experiments = json.loads(preview.out)["experiments"]
    assert [experiment["parameters"]["lr"] for experiment in experiments] == [
        "1", "1", "2", "2", "3", "3",
    ]  # fmt: skip
    compiled = riseml("compile", "-f", "other.yml", "lr=0.7", "-o", "json")
    assert '"lr":"0.7"' in compiled.out.replace(" ", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lr",), "lr: error: this is not NAME=VALUE"),
        (("a.yml", "b.yml"), "a.yml and b.yml cannot be used together"),
        (("a.yml", "-f", "b.yml"), "a.yml and b.yml cannot be used together"),
    ],
)
def test_arguments_that_are_neither_file_nor_value(
    riseml: Riseml, words: tuple[str, ...], message: str
) -> None:
    result = riseml("train", *words)
    assert result.status == 2
    assert message in result.err


def test_a_dry_run_lists_what_differs_from_a_cluster(
    monkeypatch: pytest.MonkeyPatch, riseml: Riseml
) -> None:
    sentences = ["Jobs run as you.", "Memory is not limited."]
    monkeypatch.setattr(Client, "differences", lambda *_arguments: sentences)
    Path("riseml.yml").write_text(GRID)
    assert riseml("train", "--dry-run").out.endswith(
        "\n\nUnlike on a cluster:\n- Jobs run as you.\n- Memory is not limited.\n"
    )
    plan = json.loads(riseml("train", "--dry-run", "-o", "json").out)
    assert plan["differences"] == sentences
