"""Every case of a valid or faulty riseml.yml, with the position of its fault."""

from typing import NamedTuple

import pytest

from riseml.schema.messages import one_of
from tests.riseml_yml import load_with_faults
from tests.unit.built_ins import built_in

OK, NOTE, WARNING, ERROR = "accepted", "note", "warning", "error"


class Case(NamedTuple):
    """A file, its outcome, and for a fault its position (line:column) and some words of the message."""

    name: str
    text: str
    outcome: str
    position: str = ""
    words: str = ""


def yml(
    *extra: str,
    project: str = "project: toaster-net",
    image: str = "image: python:3.12",
    resources: str = "resources: {cpus: 1, mem: 512, gpus: 0}",
    run: str = "run: python fit.py",
) -> str:
    """Return a file with project, train, image, resources and run in lines 1 to 5; `extra` begins in line 6."""
    return "\n".join(
        [
            project,
            "train:",
            *(f"  {line}" for line in (image, resources, run, *extra) if line),
            "",
        ]
    )


def tensorflow(*lines: str, **parts: str) -> str:
    """Return the same with framework and tensorflow in lines 6 and 7; `lines` begin in line 8."""
    return yml(
        "framework: tensorflow",
        "tensorflow:",
        *(f"  {line}" for line in lines),
        **parts,
    )


PLACEHOLDER = "parameters: {lr: [0.1, 0.2]}"
FRAMEWORKS = one_of(built_in("frameworks"))
STRATEGIES = one_of(built_in("search"))

CHECKLIST = [
    # Must be accepted
    Case("run as text", yml(), OK),
    Case("run as list", yml(run="run: [echo a, echo b]"), OK),
    Case("install as text", yml("install: pip install x"), OK),
    Case("install as list", yml("install: [apt-get update, pip install x]"), OK),
    Case(
        "cpus with a leading dot", yml(resources="resources: {cpus: .5, mem: 512}"), OK
    ),
    Case(
        "1e-6 is a number",
        yml("parameters: {lr: [1e-6, 1e-5]}", run="run: fit {{lr}}"),
        OK,
    ),
    Case("whitespace-only lines", yml(run="run: python fit.py\n   \n      \n"), OK),
    Case("list without indentation", yml(run="run:\n  - echo a\n  - echo b"), OK),
    Case("CRLF", yml().replace("\n", "\r\n"), OK),
    Case("BOM", "\ufeff" + yml(), OK),
    Case("no final newline", yml().rstrip(), OK),
    Case(
        "folded command with line breaks",
        yml(run="run:\n  - >-\n    python fit.py\n      --epochs 3\n    --lr 1"),
        OK,
    ),
    Case(
        "placeholder beside braces",
        yml(PLACEHOLDER, run="""run: 'fit -c "{x: {y: 1}}" {{lr}} {a}'"""),
        OK,
    ),
    Case("framework and image", yml("framework: tensorflow"), OK),
    Case("framework without section", yml("framework: tensorflow", image=""), OK),
    Case("version 1.5.0-gpu-py3", tensorflow("version: 1.5.0-gpu-py3", image=""), OK),
    Case("concurrency without parameters", yml("concurrency: 3"), OK),
    Case("resources without gpus", yml(resources="resources: {cpus: 1, mem: 512}"), OK),
    Case(
        "parameter with one value",
        yml("parameters: {optimizer: adam}", run="run: fit {{optimizer}}"),
        OK,
    ),
    # Must be accepted with a note
    Case(
        "image: {name, install}",
        yml(image="image: {name: alpine, install: [apk add x]}"),
        NOTE,
        "3:3",
        "'install: …'",
    ),
    Case(
        "distributed: false",
        tensorflow("distributed: false"),
        NOTE,
        "8:5",
        "no longer needed",
    ),
    Case(
        "params",
        yml("params: {lr: 1}", run="run: fit {{lr}}"),
        NOTE,
        "6:3",
        "'params' is now 'parameters'",
    ),
    Case(
        "concurrent-experiments",
        yml("concurrent-experiments: 2"),
        NOTE,
        "6:3",
        "now 'concurrency'",
    ),
    Case(
        "hyperparams",
        yml("hyperparams: {max-parallel-experiments: 2}"),
        NOTE,
        "6:3",
        "is now 'concurrency'",
    ),
    Case(
        "worker-count",
        tensorflow("distributed: true", "worker-count: 2", "ps-count: 1"),
        NOTE,
        "8:5",
        "worker: 3",
    ),
    Case(
        "tensorboard as path",
        tensorflow("tensorboard: ./logs"),
        NOTE,
        "8:18",
        "now true or false",
    ),
    Case(
        "resources by job type",
        tensorflow(
            "distributed: true",
            resources="resources: {worker: {cpus: 1}, ps: {cpus: 2}}",
        ),
        NOTE,
        "4:3",
        "now belong in tensorflow.distributed",
    ),
    Case(
        "repository",
        yml(project="repository: toaster-net"),
        NOTE,
        "1:1",
        "'repository' is now 'project'",
    ),
    # Must be accepted with a warning
    Case(
        "undeclared placeholder",
        yml(run="run: fit {{dropout}}"),
        WARNING,
        "5:12",
        "no parameter 'dropout'",
    ),
    Case(
        "unused parameter",
        yml("parameters: {lr: 1}"),
        WARNING,
        "6:16",
        "no command uses the parameter 'lr'",
    ),
    Case(
        "spaces in a placeholder",
        yml(PLACEHOLDER, run="run: fit {{ lr }}"),
        WARNING,
        "5:12",
        "is replaced",
    ),
    Case(
        "mem in gigabytes",
        yml(resources="resources: {cpus: 1, mem: 4}"),
        WARNING,
        "4:29",
        "only 4 megabytes",
    ),
    Case(
        "GPU and a CPU image",
        yml(
            image="image: tensorflow/tensorflow:1.8.0", resources="resources: {gpus: 1}"
        ),
        WARNING,
        "3:10",
        "made for CPUs",
    ),
    Case(
        "old TensorBoard",
        tensorflow("version: 1.3.0", image=""),
        WARNING,
        "5:14",
        "before 1.4",
    ),
    # Must be refused
    Case("no project", yml(project="# none"), ERROR, "2:1", "'project' is missing"),
    Case(
        "train empty",
        "project: toaster-net\ntrain:\n",
        ERROR,
        "2:7",
        "train must be a mapping, not nothing",
    ),
    Case(
        "one-letter project", yml(project="project: x"), ERROR, "1:10", "at least two"
    ),
    Case("dotted project", yml(project="project: a.b"), ERROR, "1:10", "not 'a.b'"),
    Case(
        "numeric project",
        yml(project="project: 12"),
        ERROR,
        "1:10",
        "not the number 12",
    ),
    Case(
        "version 1.5",
        tensorflow("version: 1.5", image=""),
        ERROR,
        "7:14",
        "such as 1.5.0",
    ),
    Case(
        "empty parameter list",
        yml("parameters: {lr: []}"),
        ERROR,
        "6:20",
        "has no values",
    ),
    Case("mixed list", yml("parameters: {lr: [1e-6, '']}", run="run: x $LR"), OK),
    Case(
        "list of booleans", yml("parameters: {a: [true, false]}", run="run: x $A"), OK
    ),
    Case(
        "list with null",
        yml("parameters: {lr: [1, null]}", run="run: fit $LR"),
        OK,
    ),
    Case(
        "step 0",
        yml("parameters: {a: {range: {min: 1, max: 2, step: 0}}}"),
        ERROR,
        "6:50",
        "above 0",
    ),
    Case(
        "negative step",
        yml("parameters: {a: {range: {min: 2, max: 1, step: -1}}}"),
        ERROR,
        "6:50",
        "above 0",
    ),
    Case(
        "min over max",
        yml("parameters: {a: {range: {min: 2, max: 1, step: 1}}}"),
        ERROR,
        "6:27",
        "is more than",
    ),
    Case("integer key", yml("parameters: {1: 2}"), ERROR, "6:16", "the key 1"),
    Case(
        "equal variables",
        yml("parameters: {a-b: 2, a_b: 2}"),
        ERROR,
        "6:24",
        "would both be $A_B",
    ),
    Case(
        "unknown key in distributed",
        tensorflow("distributed: {workers: 2}"),
        ERROR,
        "8:19",
        "unknown key 'workers'",
    ),
    Case(
        "unknown key in horovod",
        tensorflow("horovod: {worker: 2}"),
        ERROR,
        "8:15",
        "unknown key 'worker'",
    ),
    Case(
        "horovod and distributed",
        tensorflow("distributed: {ps: 1}", "horovod: {workers: 2}"),
        ERROR,
        "9:5",
        "cannot have both",
    ),
    Case(
        "horovod without count",
        tensorflow("horovod: {workers: {processes: 2}}"),
        ERROR,
        "8:24",
        "'count' is missing",
    ),
    Case(
        "horovod without workers",
        tensorflow("horovod: {version: 1.0.0}"),
        ERROR,
        "8:14",
        "'workers' is missing",
    ),
    Case("YAML syntax", yml("env: {a: b"), ERROR, "6:8", "is not closed"),
    Case("duplicate key", yml("run: x"), ERROR, "6:3", "duplicate key 'run' in train"),
    Case("two documents", yml() + "---\na: 1\n", ERROR, "6:1", "second document"),
    Case(
        "deploy",
        "project: ab\ndeploy: {image: x, run: y}\n",
        ERROR,
        "2:1",
        "'deploy' deployed a model",
    ),
    Case(
        "service",
        "description: x\nservice: {commands: [x]}\n",
        ERROR,
        "2:1",
        "'service' served a model",
    ),
    Case(
        "other framework",
        yml("framework: no-framework"),
        ERROR,
        "6:14",
        f"must be {FRAMEWORKS}, not 'no-framework'",
    ),
    Case(
        "workers: 0", tensorflow("horovod: {workers: 0}"), ERROR, "8:24", "at least 1"
    ),
    Case(
        "concurrency: 0",
        yml("concurrency: 0"),
        ERROR,
        "6:16",
        "at least 1, not the number 0",
    ),
    # RiseML of 2018 refused these amounts; today they are understood
    Case("cpus: 500m", yml(resources="resources: {cpus: 500m, mem: 512}"), OK),
    Case("mem: 4Gi", yml(resources="resources: {cpus: 1, mem: 4Gi}"), OK),
]

TEXT = [
    Case("empty", "", ERROR, "1:1", "empty"),
    Case("comment only", "# nothing\n", ERROR, "2:1", "empty"),
    Case("null", "---\n", ERROR, "2:1", "empty"),
    Case("a list", "- a\n", ERROR, "1:1", "must be a mapping, not a list"),
    Case("text", "hello\n", ERROR, "1:1", "must be a mapping, not 'hello'"),
    Case("tab", "project: ab\ntrain:\n\trun: x\n", ERROR, "3:1", "a tab indents"),
    Case("control character", "project: ab\x07\n", ERROR, "1:12", "U+0007"),
    Case("lone surrogate", "project: \ud800\n", ERROR, "1:10", "U+D800"),
    Case(
        "escape in double quotes", 'project: "a\\q"\n', ERROR, "1:12", "unknown escape"
    ),
    Case("at sign", "project: @x\n", ERROR, "1:10", "cannot begin with '@'"),
    Case("unclosed quote", "project: 'x\n", ERROR, "1:10", "is not closed"),
    Case("undefined alias", "project: *x\n", ERROR, "1:10", "undefined alias"),
    Case(
        "colon in value",
        yml(run="run: echo a: b"),
        ERROR,
        "5:14",
        "mapping values are not allowed",
    ),
    Case(
        "placeholder first, then text",
        yml(run="run: {{lr}} x"),
        ERROR,
        "5:15",
        "did not find expected key",
    ),
    Case(
        "placeholder alone",
        yml(run="run: {{lr}}"),
        ERROR,
        "5:8",
        "must be text, or a list of them, not a mapping",
    ),
    Case(
        "unknown tag",
        yml(run="run: !ruby x"),
        ERROR,
        "5:8",
        "a value with the tag !ruby",
    ),
    Case(
        "python tag",
        yml(run="run: !!python/name:os.system x"),
        ERROR,
        "5:8",
        "python/name:os.system",
    ),
    Case("explicit text", yml("env: {A: !!str 1}"), OK),
    Case("lying tag", yml("concurrency: !!int x"), ERROR, "6:16", "out of range: x"),
    Case(
        "self-reference",
        yml("env: &a {A: *a}"),
        ERROR,
        "6:8",
        "env.A must be text, not a mapping",
    ),
    Case("self-merge", yml("env: &a {A: b, <<: *a}"), OK),
    Case("merge of a scalar", yml("<<: 3"), ERROR, "6:7", "merges only mappings"),
    Case(
        "huge integer", yml(f"concurrency: {'9' * 5000}"), ERROR, "6:16", "out of range"
    ),
    Case(
        "deep nesting",
        yml(run=f"run: {'[' * 5000}{']' * 5000}"),
        ERROR,
        "5:105",
        "levels of nesting",
    ),
    Case("null key", yml("? \n  : x"), ERROR, "6:4", "the key null"),
    Case("list as key", yml("? [a]\n  : x"), ERROR, "6:5", "a list cannot be a key"),
    Case("quoted key twice", yml('"run": x'), ERROR, "6:3", "duplicate key 'run'"),
    Case(
        "dash and underscore",
        yml("gang-timeout: 1m", "gang_timeout: 1m"),
        ERROR,
        "7:3",
        "duplicate key 'gang_timeout'",
    ),
]

TRAIN = [
    Case("search by name", yml("search: grid", PLACEHOLDER, run="run: x {{lr}}"), OK),
    Case(
        "search as mapping",
        yml("search: {method: grid}", PLACEHOLDER, run="run: x {{lr}}"),
        OK,
    ),
    Case(
        "search without parameters",
        yml("search: grid"),
        WARNING,
        "6:3",
        "'search' has no effect without parameters",
    ),
    Case(
        "idle_timeout without gpus",
        yml("idle_timeout: 1h"),
        WARNING,
        "6:3",
        "'idle_timeout' has no effect without gpus",
    ),
    Case(
        "idle_timeout",
        yml("idle_timeout: 1h", resources="resources: {gpus: 1}"),
        OK,
    ),
    Case(
        "idle_timeout of a framework",
        yml("idle_timeout: 1h", "framework: pytorch"),
        OK,
    ),
    Case(
        "unknown search strategy",
        yml("search: gird"),
        ERROR,
        "6:11",
        f"train.search must be {STRATEGIES}, not 'gird'",
    ),
    Case(
        "search without method",
        yml("search: {}"),
        ERROR,
        "6:11",
        "'method' is missing in train.search",
    ),
    Case(
        "unknown option of a search",
        yml("search: {method: grid, trials: 3}"),
        ERROR,
        "6:26",
        "unknown key 'trials' in train.search",
    ),
    Case(
        "search: null",
        yml("search:"),
        ERROR,
        "6:10",
        f"must be {STRATEGIES}, not nothing",
    ),
    Case("project alone", "project: ab\n", OK),
    Case(
        "project of 64 characters",
        f"project: {'a' * 64}\n",
        ERROR,
        "1:10",
        "at most 63",
    ),
    Case("project with line break", 'project: "ab\\n"\n', ERROR, "1:10", "U+000A"),
    Case(
        "unknown key",
        yml("resorces: {}"),
        ERROR,
        "6:3",
        "unknown key 'resorces' in train",
    ),
    Case("no run", yml(run=""), ERROR, "3:3", "'run' is missing in train"),
    Case("no resources", yml(resources=""), OK),
    Case("no image", yml(image=""), OK),
    Case("empty image", yml(image='image: ""'), OK),
    Case("empty image, framework", yml("framework: tensorflow", image='image: ""'), OK),
    Case(
        "framework without an image",
        yml("framework: mpi", image=""),
        ERROR,
        "5:14",
        "no image of its own",
    ),
    Case(
        "image in capitals",
        yml(image="image: Python:3"),
        ERROR,
        "3:10",
        "must be a Docker image",
    ),
    Case(
        "image with placeholder",
        yml(PLACEHOLDER, image="image: 'x:{{lr}}'"),
        ERROR,
        "3:10",
        "a Docker image",
    ),
    Case(
        "image with registry and digest",
        yml(image=f"image: reg.io:5000/a/b__c:1@sha256:{'a' * 64}"),
        OK,
    ),
    Case("run: true", yml(run="run: true"), ERROR, "5:8", "not true"),
    Case("run: []", yml(run="run: []"), WARNING, "5:8", "no command"),
    Case("run: ''", yml(run="run: ''"), WARNING, "5:8", "no command"),
    Case("run: null", yml(run="run:"), ERROR, "5:7", "not nothing"),
    Case(
        "run nested",
        yml(run="run: [[a]]"),
        ERROR,
        "5:9",
        "entry 1 of train.run must be text, not a list",
    ),
    Case("run with NUL", yml(run='run: "a\\0b"'), ERROR, "5:8", "U+0000"),
    Case(
        "run with lone surrogate", yml(run='run: "a\\uD800"'), ERROR, "5:12", "Unicode"
    ),
    Case("trailing backslash", yml(run="run: |\n    echo \\\n      b \\\n"), OK),
    Case("install: null", yml("install:"), ERROR, "6:11", "not nothing"),
    Case(
        "install with placeholder",
        yml(PLACEHOLDER, "install: 'pip install x=={{lr}}'", run="run: x {{lr}}"),
        WARNING,
        "7:28",
        "not replaced in install",
    ),
    Case(
        "section without framework",
        yml("tensorflow: {}"),
        WARNING,
        "6:3",
        "no effect without framework: tensorflow",
    ),
    Case(
        "section of another framework",
        yml("framework: jax", "pytorch: {}"),
        WARNING,
        "7:3",
        "no effect",
    ),
    Case(
        "bad section without framework",
        yml("pytorch: {x: 1}"),
        ERROR,
        "6:13",
        "unknown key 'x' in train.pytorch",
    ),
    Case(
        "plain is not a framework",
        yml("framework: plain"),
        ERROR,
        "6:14",
        "not 'plain'",
    ),
    Case("resources: {}", yml(resources="resources: {}"), OK),
    Case(
        "resources: null",
        yml(resources="resources:"),
        ERROR,
        "4:13",
        "must be a mapping, not nothing",
    ),
    Case(
        "cpus: 0", yml(resources="resources: {cpus: 0}"), ERROR, "4:21", "at least 0.01"
    ),
    Case(
        "cpus: 5m",
        yml(resources="resources: {cpus: 5m}"),
        ERROR,
        "4:21",
        "at least 0.01",
    ),
    Case(
        "cpus: true",
        yml(resources="resources: {cpus: true}"),
        ERROR,
        "4:21",
        "not true",
    ),
    Case(
        "mem: 4GB", yml(resources="resources: {mem: 4GB}"), ERROR, "4:20", "not '4GB'"
    ),
    Case(
        "mem: 512m",
        yml(resources="resources: {mem: 512m}"),
        ERROR,
        "4:20",
        "not '512m'",
    ),
    Case(
        "mem: '512'",
        yml(resources="resources: {mem: '512'}"),
        ERROR,
        "4:20",
        "not '512'",
    ),
    Case(
        "mem: .inf",
        yml(resources="resources: {mem: .inf}"),
        ERROR,
        "4:20",
        "not the number .inf",
    ),
    Case(
        "mem: 1e999999999",
        yml(resources="resources: {mem: 1e999999999}"),
        ERROR,
        "4:20",
        "must be a number",
    ),
    Case(
        "gpus: 1.0",
        yml(resources="resources: {gpus: 1.0}"),
        ERROR,
        "4:21",
        "not the number 1.0",
    ),
    Case(
        "gpus: -1", yml(resources="resources: {gpus: -1}"), ERROR, "4:21", "at least 0"
    ),
    Case(
        "gpus: '1'", yml(resources="resources: {gpus: '1'}"), ERROR, "4:21", "not '1'"
    ),
    Case(
        "concurrency: 1.0", yml("concurrency: 1.0"), ERROR, "6:16", "not the number 1.0"
    ),
    Case("concurrency: 0x10", yml("concurrency: 0x10"), OK),
    Case("env", yml("env: {A: b, N: 4, T: true, E: '', L: \"a\\nb\"}"), OK),
    Case(
        "env: null value", yml("env: {A: }"), ERROR, "6:12", "must be text, not nothing"
    ),
    Case("env: bad name", yml("env: {a-b: 1}"), ERROR, "6:9", "the name 'a-b'"),
    Case("env: of RiseML", yml("env: {OUTPUT_DIR: x}"), ERROR, "6:9", "RiseML sets it"),
    Case("env: of the system", yml("env: {PATH: x, PYTHONPATH: y}"), OK),
    Case(
        "env: of a parameter",
        yml(PLACEHOLDER, "env: {LR: x}", run="run: x {{lr}}"),
        ERROR,
        "7:9",
        "parameter 'lr'",
    ),
    Case("env with placeholder", yml(PLACEHOLDER, "env: {RATE: '{{lr}}'}"), OK),
    Case(
        "env with Argo's tag",
        yml("env: {X: '{{workflow.name}}'}"),
        ERROR,
        "6:13",
        "Argo would replace",
    ),
    Case("secrets", yml("secrets: [WANDB_API_KEY]"), OK),
    Case("secrets twice", yml("secrets: [A, A]"), ERROR, "6:16", "'A' appears twice"),
    Case(
        "secret in env",
        yml("env: {A: x}", "secrets: [A]"),
        ERROR,
        "7:13",
        "env sets it",
    ),
    Case("timeout", yml("timeout: 1h30m"), OK),
    Case("timeout in seconds", yml("timeout: 90"), OK),
    Case(
        "timeout in words",
        yml("timeout: 10 minutes"),
        ERROR,
        "6:12",
        "must be a duration",
    ),
    Case("timeout: 0", yml("timeout: 0"), ERROR, "6:12", "at least 1s"),
    Case("timeout: 0s", yml("timeout: 0s"), ERROR, "6:12", "at least 1s"),
    Case("retries", yml("retries: {count: 2, on: [oom, node-lost]}"), OK),
    Case("retries on one", yml("retries: {count: 2, on: oom}"), OK),
    Case(
        "retries without count",
        yml("retries: {on: oom}"),
        ERROR,
        "6:12",
        "'count' is missing in train.retries",
    ),
    Case(
        "retries on nonsense",
        yml("retries: {count: 2, on: [oomm]}"),
        ERROR,
        "6:28",
        "not 'oomm'",
    ),
    Case("gang_timeout", yml("gang-timeout: 5m"), OK),
    Case("results", yml("results: {loss: min, a/b: {pattern: 'b (.)'}}"), OK),
    Case("results as names", yml("results: [loss, acc]"), OK),
    Case(
        "results without a name",
        yml("results: {'': min}"),
        ERROR,
        "6:13",
        "must be a name without spaces at its ends",
    ),
    Case(
        "results of another mode",
        yml("results: {loss: minn}"),
        ERROR,
        "6:19",
        "must be min or max, not 'minn'",
    ),
    Case(
        "results twice",
        yml("results: [loss, loss]"),
        ERROR,
        "6:19",
        "appears twice",
    ),
    Case(
        "pattern that is none",
        yml("results: {loss: {pattern: '('}}"),
        ERROR,
        "6:29",
        "not a regular expression: missing ), unterminated subpattern",
    ),
    Case(
        "pattern without a group",
        yml("results: {loss: {pattern: 'loss [0-9.]+'}}"),
        ERROR,
        "6:29",
        "has no group for the value",
    ),
    Case(
        "pattern with two groups",
        yml("results: {loss: {pattern: '(train|val) loss (.+)'}}"),
        ERROR,
        "6:29",
        "has 2 groups, and the value can only be in one",
    ),
    Case(
        "metrics",
        yml("metrics: {loss: min}"),
        ERROR,
        "6:3",
        "unknown key 'metrics' in train",
    ),
    Case("build_files", yml("build_files: [setup.py, a/b..c]"), OK),
    Case(
        "build_files outside",
        yml("build_files: [../setup.py]"),
        ERROR,
        "6:17",
        "below riseml.yml's folder",
    ),
    Case(
        "build_files absolute",
        yml("build_files: /etc/passwd"),
        ERROR,
        "6:16",
        "below riseml.yml's folder",
    ),
    Case(
        "tensorboard: yes",
        tensorflow("tensorboard: yes"),
        ERROR,
        "8:18",
        "true or false, not 'yes'",
    ),
    Case(
        "tensorboard: 'true'",
        tensorflow("tensorboard: 'true'"),
        NOTE,
        "8:18",
        "'tensorboard' needs no quotes",
    ),
    Case("kind: train", yml("kind: train"), NOTE, "6:3", "'kind: train' is no longer"),
    Case("kind: other", yml("kind: other"), ERROR, "6:3", "unknown key 'kind'"),
    Case(
        "version: latest-gpu",
        tensorflow("version: latest-gpu"),
        ERROR,
        "8:14",
        "not 'latest-gpu'",
    ),
    Case("version: null", tensorflow("version: null"), OK),
    Case("distributed: {}", tensorflow("distributed: {}", "horovod: {}"), OK),
    Case("ps: 0", tensorflow("distributed: {ps: 0}"), OK),
    Case("ps: -1", tensorflow("distributed: {ps: -1}"), ERROR, "8:23", "at least 0"),
    Case(
        "no worker", tensorflow("distributed: {worker: 0}"), ERROR, "8:27", "at least 1"
    ),
    Case(
        "master with count",
        tensorflow("distributed: {master: {count: 1}}"),
        ERROR,
        "8:28",
        "unknown key 'count'",
    ),
    Case("chief", tensorflow("distributed: {chief: chief}"), OK),
    Case(
        "chief of another kind",
        tensorflow("distributed: {chief: boss}"),
        ERROR,
        "8:26",
        "master or chief, not 'boss'",
    ),
    Case(
        "old horovod",
        tensorflow("distributed: {type: horovod, worker: 2}"),
        ERROR,
        "8:19",
        "unknown key 'type'",
    ),
    Case(
        "horovod image of 2018",
        tensorflow("horovod: {workers: 2}", image=""),
        WARNING,
        "5:14",
        "dates from 2018",
    ),
    Case(
        "pytorch",
        yml(
            "framework: pytorch",
            "pytorch: {version: 2.4.0, workers: {count: 2, processes: 4}}",
        ),
        OK,
    ),
    Case("jax", yml("framework: jax", "jax: {workers: 2, tensorboard: true}"), OK),
    Case(
        "mpi", yml("framework: mpi", "mpi: {workers: {count: 2, processes: null}}"), OK
    ),
    Case(
        "horovod",
        yml("framework: horovod", "horovod: {version: 0.28.1, workers: 2}", image=""),
        OK,
    ),
]

PARAMETERS = [
    Case("{}", yml("parameters: {}"), OK),
    Case("nothing", yml("parameters:"), OK),
    Case("null", yml("parameters: null"), OK),
    Case(
        "empty text", yml("parameters: ''"), ERROR, "6:15", "must be a mapping, not ''"
    ),
    Case("[]", yml("parameters: []"), OK),
    Case("text", yml("parameters: x"), ERROR, "6:15", "must be a mapping, not 'x'"),
    Case("no value", yml("parameters: {a: }"), ERROR, "6:19", "a is empty"),
    Case("nested list", yml("parameters: {a: [[1]]}", run="run: fit $A"), OK),
    Case("null", yml("parameters: {a: null}", run="run: fit $A"), OK),
    Case("name with dots", yml("parameters: {m.lr: 1}", run="run: fit {{m.lr}}"), OK),
    Case(
        "name with two dots",
        yml("parameters: {m..lr: 1}"),
        ERROR,
        "6:16",
        "single dots between them",
    ),
    Case(
        "placeholder of a similar name with dots",
        yml("parameters: {model.lr: 1}", run="run: fit {{model.rl}}"),
        ERROR,
        "5:12",
        "no parameter 'model.rl' is declared",
    ),
    Case(
        "misspelt distribution",
        yml("parameters: {a: {unifrom: [0, 1]}}"),
        ERROR,
        "6:19",
        "is a mapping, but neither a range nor a distribution",
    ),
    Case(
        "mapping",
        yml("parameters: {a: {min: 1, max: 2}}"),
        ERROR,
        "6:19",
        "is a mapping, but neither a range nor a distribution",
    ),
    Case(
        "range without step",
        yml("parameters: {a: {range: {min: 1, max: 2}}}"),
        ERROR,
        "6:27",
        "'step' is missing",
    ),
    Case(
        "range with text",
        yml("parameters: {a: {range: {min: x, max: 2, step: 1}}}"),
        ERROR,
        "6:33",
        "not 'x'",
    ),
    Case(
        "range with more",
        yml(
            "parameters: {a: {range: {min: 1, max: 2, step: 1, log: true}}}",
            run="run: x $A",
        ),
        WARNING,
        "6:53",
        "'log' in train.parameters.a.range has no effect",
    ),
    Case(
        "range too long",
        yml("parameters: {a: {range: {min: 0, max: 1e9, step: 1}}}"),
        ERROR,
        "6:27",
        "1,000,000,001",
    ),
    Case(
        "range much too long",
        yml("parameters: {a: {range: {min: 0, max: 1e200, step: 1e-200}}}"),
        ERROR,
        "6:27",
        "more than 10^15 values",
    ),
    Case(
        "grid too large",
        yml(f"parameters: {{a: {list(range(400))}, b: {list(range(400))}}}"),
        ERROR,
        "6:15",
        "make 160,000 experiments",
    ),
    Case(
        "space in a name", yml("parameters: {a b: 1}"), ERROR, "6:16", "the name 'a b'"
    ),
    Case("digit first", yml("parameters: {2d: 1}"), ERROR, "6:16", "the name '2d'"),
    Case("umlaut", yml("parameters: {größe: 1}"), ERROR, "6:16", "the name 'größe'"),
    Case(
        "reserved names",
        yml(
            "parameters: {sub: 1, index: 1, image: 1, experiment: 1, retries: 2, item: x}",
            run="run: x {{sub}} {{index}} {{image}} {{experiment}} {{retries}} {{item}}",
        ),
        OK,
    ),
    Case("path", yml("parameters: {path: 1}"), ERROR, "6:16", "$PATH is reserved"),
    Case(
        "output-dir", yml("parameters: {output-dir: 1}"), ERROR, "6:16", "$OUTPUT_DIR"
    ),
    Case(
        "ld-library",
        yml("parameters: {ld-library-path: 1}"),
        ERROR,
        "6:16",
        "$LD_LIBRARY_PATH",
    ),
    Case("tf-config", yml("parameters: {tf-config: 1}"), ERROR, "6:16", "$TF_CONFIG"),
    Case(
        "riseml-sub", yml("parameters: {riseml-sub: 1}"), ERROR, "6:16", "$RISEML_SUB"
    ),
    Case(
        "rank of LoRA",
        yml("parameters: {rank: 8}", run="run: x {{rank}}"),
        WARNING,
        "6:16",
        "the parameter 'rank' is not set as $RANK",
    ),
    Case(
        "rank beside torchrun's",
        yml(
            "framework: pytorch",
            "pytorch: {workers: 2}",
            "parameters: {rank: 1}",
            run="run: x {{rank}}",
        ),
        WARNING,
        "8:16",
        "is not set as $RANK",
    ),
    Case(
        "rank in env",
        yml(
            "parameters: {rank: 8}",
            "env: {RANK: '{{rank}}'}",
            run="run: x {{rank}}",
        ),
        WARNING,
        "6:16",
        "is not set as $RANK",
    ),
    Case(
        "variable of jax",
        yml("framework: jax", "jax: {workers: 2}", "parameters: {jax-process-id: 1}"),
        ERROR,
        "8:16",
        "jax sets $JAX_PROCESS_ID",
    ),
    Case(
        "value like an option",
        yml("parameters: {a: [1, -1e-3]}", run="run: fit --a {{a}}"),
        WARNING,
        "5:16",
        "the value '-1e-3' of 'a' as an option, not as the value of --a",
    ),
    Case(
        "value like an option after =",
        yml("parameters: {a: [1, -1e-3]}", run="run: fit --a={{a}}"),
        OK,
    ),
    Case(
        "random",
        yml("parameters: {random: 1}", run="run: x {{random}}"),
        WARNING,
        "6:16",
        "the shell overwrites $RANDOM",
    ),
    Case(
        "lang",
        yml("parameters: {lang: de}", run="run: x {{lang}}"),
        WARNING,
        "6:16",
        "other programs also read $LANG",
    ),
    Case(
        "braces in a value",
        yml("parameters: {a: 'x{{b}}'}"),
        ERROR,
        "6:19",
        "contains '{{'",
    ),
    Case(
        "line break in a value",
        yml('parameters: {a: "x\\ny"}'),
        ERROR,
        "6:19",
        "U+000A",
    ),
    Case(
        "escape in a value", yml('parameters: {a: ["x\\ey"]}'), ERROR, "6:20", "U+001B"
    ),
    Case(
        "infinity",
        yml("parameters: {a: [1.0, .inf]}", run="run: x $A"),
        WARNING,
        "6:25",
        "gets the text '.inf'",
    ),
    Case(
        "used as variable",
        yml("parameters: {lr-decay: 1}", run="run: fit ${LR_DECAY:-1}"),
        OK,
    ),
    Case(
        "space in a value",
        yml("parameters: {a: 'x y'}", run="run: fit {{a}}"),
        WARNING,
        "5:12",
        "'x y' of 'a'",
    ),
    Case(
        "empty value",
        yml("parameters: {a: ''}", run="run: fit {{a}}"),
        WARNING,
        "5:12",
        "as one plain word",
    ),
    Case(
        "command in a value",
        yml("parameters: {a: $(rm -r x)}", run="run: fit {{a}}"),
        WARNING,
        "5:12",
        "plain word",
    ),
    Case(
        "space in quotes",
        yml("parameters: {a: 'x y'}", run="""run: 'fit "{{a}}"'"""),
        OK,
    ),
    Case(
        "dollar in quotes",
        yml("parameters: {a: 'x$y'}", run="""run: 'fit "{{a}}"'"""),
        WARNING,
        "5:14",
        "plain word",
    ),
    Case(
        "dollar before",
        yml(PLACEHOLDER, run="run: x ${{lr}}"),
        WARNING,
        "5:10",
        "'$' stays before the value of 'lr'",
    ),
    Case(
        "almost declared",
        yml(PLACEHOLDER, run="run: x {{lr}} {{lrs}}"),
        ERROR,
        "5:17",
        "no parameter 'lrs'",
    ),
    Case(
        "numbers with commas",
        yml("parameters:", "  a: 0.1, 0.2", run="run: x $A"),
        WARNING,
        "7:8",
        "is one text",
    ),
    Case(
        "numbers with commas in quotes",
        yml("parameters:", "  a: '0.1, 0.2'", run="run: x $A"),
        OK,
    ),
    Case(
        "path as value",
        yml("parameters: {a: '/data/x-1.0_b,c=d:e+f%g@h^i'}", run="run: fit {{a}}"),
        OK,
    ),
]

TAGS = [
    Case(
        "workflow.name",
        yml(run="run: echo {{workflow.name}}"),
        ERROR,
        "5:13",
        "Argo would replace '{{workflow.name}}'",
    ),
    Case(
        "with spaces",
        yml(run="run: echo {{ inputs.parameters.x }}"),
        ERROR,
        "5:13",
        "Argo would replace",
    ),
    Case("item", yml(run="run: echo {{item}}"), ERROR, "5:13", "'{{item}}'"),
    Case("retries", yml(run="run: echo {{retries}}"), ERROR, "5:13", "'{{retries}}'"),
    Case(
        "pod.name", yml(run="run: echo {{pod.name}}"), ERROR, "5:13", "'{{pod.name}}'"
    ),
    Case("expression", yml(run="run: 'echo {{=1+1}}'"), ERROR, "5:14", "'{{=1+1}}'"),
    Case(
        "in install",
        yml("install: echo {{tasks.a.outputs.result}}"),
        ERROR,
        "6:17",
        "tasks.a",
    ),
    Case(
        "not the first",
        yml(run="run: 'echo {{a b}} {{steps.x}}'"),
        ERROR,
        "5:22",
        "'{{steps.x}}'",
    ),
    Case(
        "nested",
        yml(run="run: 'echo {{a {{workflow.uid}} b}}'"),
        ERROR,
        "5:14",
        "'{{workflow.uid}}'",
    ),
    Case(
        "in a block",
        yml(run="run: |\n    echo a\n    echo {{workflow.uid}}"),
        ERROR,
        "7:10",
        "'{{workflow.uid}}'",
    ),
    Case(
        "not closed", yml(run="run: \"echo '{{'\""), ERROR, "5:15", "'{{' without '}}'"
    ),
    Case(
        "three braces",
        yml(PLACEHOLDER, run="run: 'x {{{lr}}}'"),
        ERROR,
        "5:11",
        "hides a placeholder",
    ),
    Case("three braces, blank", yml(PLACEHOLDER, run="run: 'x { {{lr}}}'"), OK),
    Case("Jinja", yml(run="run: \"echo '{{ x.y | upper }}' {% if a %}\""), OK),
    Case("GitHub", yml(run="run: echo '${{ matrix.os }}'"), OK),
    Case("Go template", yml(run="run: docker inspect -f '{{.State}}' x"), OK),
    Case("closing braces only", yml(run="""run: 'x {"a": {"b": 1}}'"""), OK),
]

LEGACY = [
    Case(
        "2017-08",
        """repository: census
train:
  image: {name: tensorflow/tensorflow, install: [pip install x]}
  framework: tensorflow
  tensorflow: {distributed: true, ps-count: 1, worker-count: 2, tensorboard: $OUTPUT_DIR}
  resources: {master: {cpus: 1}, worker: {cpus: 2, gpus: 1}, ps: {cpus: 1, mem: 64}}
  params: {lr: [0.1, 0.2]}
  hyperparams: {concurrent-experiments: 2}
  run: fit {{lr}}
""",
        NOTE,
        "1:1",
        "'repository'",
    ),
    Case(
        "2017-05",
        "repository: ab\ntrain: {image: python, run: x, gpus: 1}\n",
        NOTE,
        "2:32",
        "'gpus' beside 'run'",
    ),
    Case(
        "basic framework",
        yml("framework: riseml_basic"),
        NOTE,
        "6:14",
        "no longer needed",
    ),
    Case("inputs", yml("inputs: [x]"), WARNING, "6:3", "no longer has an effect"),
    Case(
        "both spellings",
        yml("params: {}", "parameters: {}"),
        ERROR,
        "7:3",
        "duplicate key 'parameters'",
    ),
    Case(
        "unknown hyperparam",
        yml("hyperparams: {x: 1}"),
        ERROR,
        "6:17",
        "train.hyperparams",
    ),
    Case(
        "unknown key in image",
        yml(image="image: {name: python, tag: x}"),
        ERROR,
        "3:25",
        "unknown key 'tag'",
    ),
    Case(
        "image as a mapping",
        yml(image="image: {tag: x}"),
        ERROR,
        "3:10",
        "must be a Docker image",
    ),
    Case(
        "counts without distributed",
        tensorflow("worker-count: 2"),
        WARNING,
        "8:5",
        "no effect",
    ),
    Case(
        "bad count",
        tensorflow("distributed: true", "worker-count: x"),
        ERROR,
        "9:19",
        "not 'x'",
    ),
    Case(
        "roles without tensorflow",
        yml(resources="resources: {ps: {cpus: 1}}"),
        ERROR,
        "4:15",
        "by job type",
    ),
    Case(
        "train and deploy",
        yml() + "deploy: {image: x, run: y}\n",
        ERROR,
        "6:1",
        "'deploy'",
    ),
    Case(
        "deploy of 2017",
        "deploy:\n  image: x\n  gpu: yes\ninput: x\n",
        ERROR,
        "1:1",
        "'deploy'",
    ),
    Case(
        "preemption", yml("preemption: yes"), ERROR, "6:3", "unknown key 'preemption'"
    ),
]

ALL = {
    "checklist": CHECKLIST,
    "text": TEXT,
    "train": TRAIN,
    "parameters": PARAMETERS,
    "tags": TAGS,
    "legacy": LEGACY,
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=f"{n}-{c.name}") for n, group in ALL.items() for c in group],
)
def test_outcome(case: Case) -> None:
    loaded, faults = load_with_faults(case.text)
    printed = "\n".join(map(str, faults))
    assert (loaded is None) == (case.outcome == ERROR), printed
    if case.outcome == OK:
        assert not faults, printed
    else:
        matches = [
            fault
            for fault in faults
            if f"{fault.line}:{fault.column}" == case.position
            and case.words in fault.message
        ]
        assert [fault.severity for fault in matches] == [case.outcome], printed
        assert len([fault for fault in faults if fault.severity == "error"]) <= 1 + (
            case.name == "self-reference"
        ), printed
    assert list(faults) == sorted(faults, key=lambda fault: (fault.line, fault.column))
