"""The current step of a build, from its log."""

import pytest

from riseml.diagnosis.build_log import current_step, last_output, telling

INSTALL = ("apt-get install -y git", "pip install torch", "x" * 300)


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ([], ""),
        (["preparing environment 1a"], ""),
        (["==> apt-get install -y git", "Reading"], "step 1 of 3: apt-get install -y git"),
        (["==> apt-get install -y git", "==> pip install torch", "Collecting torch"],
         "step 2 of 3: pip install torch"),
        # A program may write such arrows, too.
        (["==> pip install torch", "==> Linking"], "step 2 of 3: pip install torch"),
        (["==> pulling me/net:1", "12 MB of 50 MB"], "pulling me/net:1"),
        ([f"==> {'x' * 300}"], f"step 3 of 3: {'x' * 100}…"),
    ],
)  # fmt: skip
def test_the_last_step_that_began_is_the_current_one(
    lines: list[str], step: str
) -> None:
    assert current_step(lines, INSTALL) == step


# As BuildKit writes them
RUN = (
    '#{0} [{0}/9] RUN ["sh", "-c", "exec $(command -v bash > /dev/null && echo bash'
    ' -o pipefail || echo sh) -ec "$0"", "{1}"]'
)
STEPS = (
    "apt-get install -y git",
    "pip install \"torch<3\" && echo 'é' \\\n  more",
    "pip install --prefix $HOME/x .",
)


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        (["#3 [1/9] FROM docker.io/library/python:3.12"], ""),
        (["#4 [2/9] WORKDIR /code"], ""),
        (["#5 [3/9] COPY [2/, /code/]"], "step 2 of 3: copying its files"),
        (
            [RUN.format(6, STEPS[0]), "#6 0.251 Reading package lists..."],
            "step 1 of 3: apt-get install -y git",
        ),
        (["#6 [stage-1 4/9] " + RUN.format(6, STEPS[0])[9:]], "step 1 of 3: " + STEPS[0]),
        (
            [RUN.format(7, "pip install \"torch<3\" && echo 'é' \\\\n  more")],
            "step 2 of 3: pip install \"torch<3\" && echo 'é' \\…",
        ),
        (
            [RUN.format(8, "pip install --prefix /root/x .")],
            "pip install --prefix /root/x .",
        ),
        ([RUN.format(6, STEPS[0]), "#6 DONE 1.0s", '#9 [9/9] RUN ["sh", "-c", "rm"]'],
         "step 1 of 3: apt-get install -y git"),
        ([RUN.format(8, STEPS[2]), "#9 exporting to image", "#9 exporting layers 0.1s done",
          "#9 DONE 0.2s"], "the image is being pushed"),
    ],
)  # fmt: skip
def test_steps_of_an_image_are_install_steps(lines: list[str], step: str) -> None:
    assert current_step(lines, STEPS) == step


# What BuildKit wrote about a step that failed on a cluster
FAILED = """\
#7 [4/5] RUN ["sh", "-c", "exec sh -ec "$0"", "for i in 1 2 3; do echo "Compiling $i"; done; exit 3"]
#7 0.161 Compiling 1
#7 3.171 ERROR no matching distribution found for torchh
#7 ERROR: process "sh -c exec sh -ec \\"$0\\" for i in 1 2 3" did not complete successfully: exit code: 3
------
 > [4/5] RUN ["sh", "-c", "exec sh -ec "$0"", "for i in 1 2 3; do echo "Compiling $i"; done; exit 3"]:
0.161 Compiling 1
3.171 ERROR no matching distribution found for torchh
------
Dockerfile:5
--------------------
error: failed to solve: process "sh -c exec sh" did not complete successfully: exit code: 3
""".splitlines()


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], ""),
        (["==> pulling me/net:1"], ""),
        (["==> pulling me/net:1", "12 MB of 50 MB"], "12 MB of 50 MB"),
        (["Collecting torch", "", " "], "Collecting torch"),
        (FAILED[:2], "Compiling 1"),
        (FAILED[:1], ""),
        (FAILED, "ERROR no matching distribution found for torchh"),
        (["#6 0.1 three", "#8 DONE 5.5s", "", "#9 exporting to image", "#9 pushing layers 0.1s done",
          "#9 DONE 0.2s"], "pushing layers 0.1s done"),
    ],
)  # fmt: skip
def test_the_last_line_is_that_of_a_step(lines: list[str], line: str) -> None:
    assert last_output(lines) == line


def test_steps_that_riseml_yml_does_not_have_are_not_numbered() -> None:
    lines = ["==> pip install 'optuna>=5,<6'", "Collecting optuna"]
    assert current_step(lines, ()) == "pip install 'optuna>=5,<6'"


def test_packages_that_pip_leaves_alone_look_like_no_failure() -> None:
    lines = [
        "Installing collected packages: six, idna",
        "  Attempting uninstall: six",
        "    Found existing installation: six 1.15.0",
        "    Not uninstalling six at /usr/lib, outside environment /home/me/env",
        "    Can't uninstall 'six'. No files were found to uninstall.",
        " ",
    ]
    assert telling(lines) == lines[:1]
