"""The current step of a build, from its log."""

import pytest

from riseml.diagnosis.build_log import current_step

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
            f"step 2 of 3: {STEPS[1]}",
        ),
        (
            [RUN.format(8, "pip install --prefix /root/x .")],
            "pip install --prefix /root/x .",
        ),
        ([RUN.format(6, STEPS[0]), "#6 DONE 1.0s", '#9 [9/9] RUN ["sh", "-c", "rm"]'],
         "step 1 of 3: apt-get install -y git"),
    ],
)  # fmt: skip
def test_steps_of_an_image_are_install_steps(lines: list[str], step: str) -> None:
    assert current_step(lines, STEPS) == step
