"""Plug-ins of other packages: each kind is one module, found by an entry point and used end to end."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riseml import cli, compiler, frameworks, plugins, search, settings
from riseml.config import json_schema, load_text
from riseml.errors import ConfigError, InvalidInputError, RiseMLError
from riseml.plan import Origin, Target
from riseml.planner import plan
from riseml.schema.messages import one_of
from tests.unit.built_ins import built_in

FRAMEWORK = '''
"""A framework with several solvers."""

from dataclasses import dataclass, replace
from riseml.schema.fields import Integer, Record

@dataclass(frozen=True)
class Options:
    solvers: int = 1

SECTION = Record(Options, {"solvers": Integer(1)})

def variables(options): return frozenset({"THEIR_SOLVER"})
def image(options, resources): return "their/image:cpu"
def warnings(options, image): return ("their_framework is old",)
def distribute(job, options, image): return (replace(job, type="solver", count=options.solvers),)
'''

STRATEGY = '''
"""Random search: trials drawn from the parameters' values."""

import random
from dataclasses import dataclass
from riseml.schema.fields import Integer, Record

@dataclass(frozen=True)
class Options:
    trials: int
    seed: int = 0

SECTION = Record(
    Options,
    {"trials": Integer(1).says("How many."), "seed": Integer(0).says("Of the generator.")},
    required={"trials": "Write for example trials: 20."},
)

def size(parameters, options): return options.trials

def trials(parameters, options):
    generator = random.Random(options.seed)
    return [
        {name: generator.choice(values) for name, values in parameters.items()}
        for _ in range(options.trials)
    ]
'''

ECHO = '''
"""Echo: an engine whose runs end at once, kept in a file of the home."""

import json
from riseml.engines import Submitted
from riseml.project import Snapshot
from riseml.status import SetStatus, State

class EchoEngine:
    name = "their-engine"

    def __init__(self, settings):
        self.user = settings.user
        self.file = settings.home / "echo.json"

    def snapshot(self, project, folder, *, gitignore=True):
        return Snapshot("0" * 40, files=1, size=1, ignored=0, warnings=())

    def start(self, submission):
        runs = self.runs()
        number = len(runs) + 1
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps([*runs, submission.plan.project]))
        experiments = len(submission.plan.experiments)
        return Submitted(number, f"echo-{number}", submission.plan.is_set, experiments)

    def list(self, query):
        numbered = enumerate(self.runs(), 1)
        return [SetStatus(str(number), user=self.user, project=project, number=number, state=State.FINISHED)
                for number, project in numbered]

    def runs(self):
        return json.loads(self.file.read_text()) if self.file.exists() else []

def open_engine(settings): return EchoEngine(settings)
def engine_checks(settings): return []
def describe(settings): return "the echo"
'''

HELLO = '''
"""Greets."""

from riseml.cli import output

def command(name: str = "world") -> None:
    """Greet somebody."""
    output.lines([f"hello {name}"])
'''

FILE = "project: ab\ntrain: {image: python:3.12, resources: {}, run: x}\n"

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package with one module, named by an entry point of a kind of plug-ins."""
    modules = []

    def package(kind: str, name: str, code: str) -> None:
        module = f"package_of_{name}".replace("-", "_")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[riseml.{kind}]\n{name} = {module}\n")
        (tmp_path / f"{module}.py").write_text(code)
        modules.append(module)
        monkeypatch.syspath_prepend(str(tmp_path))
        plugins._installed.cache_clear()

    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    yield package
    plugins._installed.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


def faults(text: str) -> list[str]:
    """Return the errors in a file, each with its line, column and advice."""
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return [
        f"{fault.line}:{fault.column} {fault.message} / {fault.advice}"
        for fault in caught.value.faults
        if fault.severity == "error"
    ]


def test_a_framework_compiles(install: Install) -> None:
    install("frameworks", "their_framework", FRAMEWORK)
    text = "project: ab\ntrain: {framework: their_framework, their_framework: {solvers: 3}, resources: {}, run: x}\n"
    loaded = load_text(text)
    assert [fault.message for fault in loaded.warnings] == ["their_framework is old"]
    planned = plan(loaded)
    assert planned.image == "their/image:cpu"
    assert [(job.type, job.count) for job in planned.jobs] == [("solver", 3)]
    document = compiler.compile_workflow(planned, Origin("paul", 1), Target())
    assert "solver" in json.dumps(document)
    train = json_schema()["properties"]["train"]["properties"]
    assert train["their_framework"]["properties"]["solvers"]["minimum"] == 1


def test_faults_in_the_section_of_a_framework_have_positions(install: Install) -> None:
    install("frameworks", "their_framework", FRAMEWORK)
    text = "project: ab\ntrain: {framework: their_framework, their_framework: {%s}, resources: {}, run: x%s}\n"
    assert faults(text % ("solver: 3", "")) == [
        "2:55 unknown key 'solver' in train.their_framework / Did you mean 'solvers'?"
    ]
    assert faults(text % ("", ", parameters: {their-solver: 1}")) == [
        "2:94 'their-solver' cannot be a parameter: their_framework sets $THEIR_SOLVER / Rename it."
    ]
    choices = one_of(sorted([*built_in("frameworks"), "their_framework"]))
    misspelt = (text % ("", "")).replace("framework: their_f", "framework: thier_f")
    assert (
        f"2:20 train.framework must be {choices}, not 'thier_framework' / "
        "Did you mean 'their_framework'?"
    ) in faults(misspelt)


def test_a_search_strategy_plans(install: Install) -> None:
    install("search", "their-strategy", STRATEGY)
    text = FILE.replace(
        "run: x",
        "run: 'x {{a}}', parameters: {a: [1, 2, 3], b: {range: {min: 1, max: 9999, step: 1}}}, search: SEARCH",
    )
    sampled = plan(
        load_text(text.replace("SEARCH", "{method: their-strategy, trials: 20}"))
    )
    assert len(sampled.experiments) == 20
    assert {tuple(trial.parameters) for trial in sampled.experiments} == {("a", "b")}
    seeded = text.replace("SEARCH", "{method: their-strategy, trials: 20, seed: 1}")
    assert plan(load_text(seeded)).experiments != sampled.experiments
    assert plan(load_text(seeded)) == plan(load_text(seeded))
    assert len(plan(load_text(text.replace("SEARCH", "grid"))).experiments) == 29_997


def test_faults_in_a_search_have_positions(install: Install) -> None:
    install("search", "their-strategy", STRATEGY)
    text = "project: ab\ntrain:\n  image: x\n  resources: {}\n  run: x\n  parameters: {a: 1}\n"
    assert faults(
        f"{text}  search: {{method: their-strategy, trials: 0, sed: 1}}\n"
    ) == [
        "7:44 train.search.trials must be a whole number of at least 1, not the number 0 / ",
        "7:47 unknown key 'sed' in train.search / Did you mean 'seed'?",
    ]
    assert faults(f"{text}  search: their-strategy\n") == [
        "7:11 'trials' is missing in train.search / Write for example trials: 20."
    ]
    choices = one_of(sorted([*built_in("search"), "their-strategy"]))
    assert faults(f"{text}  search: {{method: their-stratgy, trials: 1}}\n") == [
        f"7:20 train.search.method must be {choices}, not 'their-stratgy' / Did you mean 'their-strategy'?"
    ]
    assert faults(f"{text}  search: {{method: their-strategy, trials: 100001}}\n") == [
        "6:15 the parameters make 100,001 experiments; a set has at most 100,000 / Use fewer values, or several files."
    ]


def test_a_search_without_experiments_is_an_error(install: Install) -> None:
    install(
        "search",
        "without-experiments",
        STRATEGY.replace("return options.trials", "return 0"),
    )
    text = "project: ab\ntrain:\n  image: x\n  resources: {}\n  run: x\n  parameters: {a: 1}\n"
    assert faults(f"{text}  search: {{method: without-experiments, trials: 1}}\n") == [
        "7:11 the search makes no experiments from these parameters / Use more values, or other options."
    ]


def test_a_single_experiment_needs_no_search(install: Install) -> None:
    install("search", "their-strategy", STRATEGY)
    text = FILE.replace(
        "run: x", "run: x, search: {method: their-strategy, trials: 20}"
    )
    planned = plan(load_text(text))
    assert [trial.parameters for trial in planned.experiments] == [{}]


def test_the_schema_contains_each_strategy(install: Install) -> None:
    install("search", "their-strategy", STRATEGY)
    forms = json_schema()["properties"]["train"]["properties"]["search"]["anyOf"]
    names = sorted([*built_in("search"), "their-strategy"])
    assert forms[0] == {"enum": names}
    by_name = dict(zip(names, forms[1:], strict=True))
    for name, form in by_name.items():
        assert form["properties"]["method"]["enum"] == [name]
    assert list(by_name["grid"]["properties"]) == ["method", "metric", "mode"]
    theirs = by_name["their-strategy"]
    assert list(theirs["properties"]) == ["method", "metric", "mode", "trials", "seed"]
    assert theirs["required"] == ["method", "trials"]


def test_a_strategy_that_leaves_out_a_parameter_is_named(install: Install) -> None:
    install(
        "search", "their-broken", STRATEGY.replace("in parameters.items()", "in ()")
    )
    text = FILE.replace(
        "run: x",
        "run: x, parameters: {a: 1}, search: {method: their-broken, trials: 1}",
    )
    with pytest.raises(
        RiseMLError, match="'their-broken' does not give every parameter"
    ):
        plan(load_text(text))


def test_an_engine_trains_and_reports(
    install: Install,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install("engines", "their-engine", ECHO)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "riseml.yml").write_text(FILE)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("RISEML_ENGINE", "their-engine")
    assert cli.main(["train"]) == 0
    assert cli.main(["status", "-a", "-o", "name"]) == 0
    printed = capsys.readouterr()
    assert "1" in printed.out.split()
    assert cli.main(["status", "-a", "-o", "json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["project"], run["state"]) == ("ab", "FINISHED")


def test_an_engine_chosen_in_a_file_is_named_with_the_file(
    install: Install, tmp_path: Path
) -> None:
    install("engines", "their-engine", "1 / 0")
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "config"
    file.write_text("engine: their-engine\n")
    with pytest.raises(
        RiseMLError, match=f"engine in {file}: 'their-engine' of the package"
    ):
        settings.load()
    file.write_text("engine: their-enigne\n")
    with pytest.raises(
        InvalidInputError, match="there is no engine 'their-enigne'"
    ) as caught:
        settings.load()
    assert str(file) in str(caught.value)
    assert caught.value.advice.startswith("Did you mean 'their-engine'?")


def test_a_command_runs(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("commands", "their-greeting", HELLO)
    assert plugins.names("commands") == ("their-greeting",)
    assert cli.main(["their-greeting", "--name", "Paul"]) == 0
    assert capsys.readouterr().out == "hello Paul\n"
    assert cli.main(["--help"]) == 0
    assert "Greet somebody." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import nothing_of_this_name",
            "package package_of_their_framework cannot be loaded: ModuleNotFoundError",
        ),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("SECTION = None", "lacks variables, image, warnings, distribute"),
    ],
)
def test_a_broken_package_is_named(install: Install, code: str, words: str) -> None:
    install("frameworks", "their_framework", code)
    with pytest.raises(RiseMLError, match=words):
        load_text(FILE.replace("run: x", "run: x, framework: their_framework"))


def test_an_entry_point_must_name_a_module(install: Install) -> None:
    install("frameworks", "their_framework", "class Theirs: pass")
    info = Path(sys.path[0], "package_of_their_framework-1.0.dist-info")
    entry = "[riseml.frameworks]\ntheir_framework = package_of_their_framework:Theirs\n"
    (info / "entry_points.txt").write_text(entry)
    with pytest.raises(
        RiseMLError, match="package package_of_their_framework is not a module"
    ):
        plugins.load("frameworks", "their_framework")


def test_names_of_built_in_plugins() -> None:
    assert frameworks.names() == built_in("frameworks")
    assert {"horovod", "jax", "mpi", "pytorch", "tensorflow"} <= set(frameworks.names())
    assert search.names() == built_in("search")
    assert "grid" in search.names()
    # Two modules of this package are not engines.
    engines = set(plugins.names("engines"))
    assert engines >= {"argo", "local"}
    assert not engines & {"open", "selection"}
    assert plugins.names("commands") == ()


def test_an_unknown_name_is_an_error_with_all_names() -> None:
    with pytest.raises(InvalidInputError, match="no search strategy 'gird'") as caught:
        plugins.load("search", "gird")
    names = ", ".join(built_in("search"))
    advice = f"Did you mean 'grid'? Installed search strategies: {names}."
    assert caught.value.advice == advice
    with pytest.raises(InvalidInputError, match="no command 'x'") as caught:
        plugins.load("commands", "x")
    assert caught.value.advice == "Installed commands: none."


@pytest.mark.parametrize(
    "name", ["__init__", "__pycache__", "plain", "", "../config", "tensorflow.py"]
)
def test_only_frameworks_are_frameworks(name: str) -> None:
    assert not frameworks.exists(name)
