"""Every command block of the documentation runs and prints what the page shows.

A page is one test of each suite that it has blocks for, so that they run in parallel. Links and
warnings are the business of `make docs`.
"""

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.documentation import configurations, options, pages
from tests.documentation.shell import Shell
from tests.documentation.suites import provision
from tests.documentation.walk import folder, rewritten, selected, walk

_MARKS = {
    "cluster": pytest.mark.cluster,
    "containers": pytest.mark.containers,
    "frameworks": pytest.mark.frameworks,
    "browser": pytest.mark.browser,
}
_PAGES = pages.paths()
# It only falls. Each of these blocks says in the page why it does not run.
MOST_NEVER_RUN = 10


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _cases() -> list[ParameterSet]:
    cases = []
    for path in _PAGES:
        for suite in _suites(path):
            name = f"{pages.name(path)}-{suite}"
            marks = [_MARKS[suite]] if suite in _MARKS else []
            cases.append(pytest.param(path, suite, marks=marks, id=name))
    return cases


def _suites(path: Path) -> list[str]:
    """Return the suites with blocks of a page."""
    if pages.has_own_test(path):
        return []
    try:
        blocks = pages.blocks(_text(path))
    except pages.PageError:
        # The page's own test reports it.
        return [pages.DEFAULT]
    suites = (pages.DEFAULT, *_MARKS)
    return [suite for suite in suites if selected(blocks, suite)]


@pytest.mark.parametrize(("path", "suite"), _cases())
def test_a_page_is_right(
    path: Path, suite: str, request: pytest.FixtureRequest
) -> None:
    blocks = selected(pages.blocks(_text(path)), suite)
    with Shell(folder(path), provision(suite, path, request)) as shell:
        walked = walk(pages.name(path), blocks, shell)
    if request.config.getoption("--rewrite", default=False):
        text = rewritten(_text(path), walked.outputs, everything=False)
        path.write_text(text, "utf-8")
    assert not shell.processes()
    assert not walked.problems, "\n\n".join(walked.problems)


@pytest.mark.parametrize("path", _PAGES, ids=pages.name)
def test_commands_and_options_exist(path: Path) -> None:
    assert not options.mistakes(_text(path))


@pytest.mark.parametrize("path", _PAGES, ids=pages.name)
def test_each_riseml_yml_passes_the_check(path: Path, tmp_path: Path) -> None:
    for line, block in configurations.all_of(_text(path)):
        configurations.write_tables(block, tmp_path)
        error = configurations.error_of(block, tmp_path)
        assert not error, f"{pages.name(path)}.md:{line}\n{block}\n{error}"


def test_few_blocks_never_run() -> None:
    never = []
    for path in _PAGES:
        if pages.has_own_test(path):
            continue
        for block in pages.blocks(_text(path)):
            if block.suite == pages.NEVER:
                never.append(f"{pages.name(path)}.md:{block.line}: {block.reason}")
    assert len(never) <= MOST_NEVER_RUN, "\n".join(never)
