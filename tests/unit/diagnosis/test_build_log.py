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
        (["#5 [1/4] FROM python:3.12", "#7 [3/4] RUN pip install torch", "#7 0.5 Collecting"],
         "step 3 of 4: pip install torch"),
        (["#9 [stage-1 2/6] COPY . /code/"], "step 2 of 6: COPY . /code/"),
    ],
)  # fmt: skip
def test_the_last_step_that_began_is_the_current_one(
    lines: list[str], step: str
) -> None:
    assert current_step(lines, INSTALL) == step
