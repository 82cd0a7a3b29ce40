"""The test of the documentation fails for each kind of mistake in a page."""

from pathlib import Path

import pytest

from tests.documentation import configurations, options, pages
from tests.documentation.comparison import is_same, is_similar
from tests.documentation.pages import Command, File
from tests.documentation.shell import Provision, Shell
from tests.documentation.walk import rewritten, selected, walk

PAGE = """# A page

<!-- file: hello.py -->
```python
print("hello")
```

```console
$ cd /tmp
$ cd - > /dev/null
$ python hello.py
hello
$ for name in a \\
> b; do echo $name; done
a
b
```
"""


def _problems(text: str) -> list[str]:
    with Shell("page") as shell:
        return walk("page", selected(pages.blocks(text), "default"), shell).problems


def _console(*lines: str) -> str:
    return "\n".join(["```console", *lines, "```"]) + "\n"


def test_a_right_page_has_no_problems() -> None:
    assert _problems(PAGE) == []


def test_a_wrong_output_is_a_problem() -> None:
    (problem,) = _problems(PAGE.replace("\nhello\n", "\ngoodbye\n"))
    assert problem.startswith("page.md:11: the output differs")
    assert "goodbye" in problem
    assert "hello" in problem


def test_a_missing_output_is_a_problem() -> None:
    assert _problems(_console("$ echo hello"))
    assert not _problems(_console("$ echo hello", "…"))


def test_a_failing_command_is_a_problem() -> None:
    (problem,) = _problems(_console("$ false", "$ true"))
    assert "the exit status is 1 instead of 0" in problem


def test_a_failure_that_the_page_shows_is_none() -> None:
    failing = _console("$ true", "$ (exit 4)")
    assert _problems(failing)
    assert not _problems("<!-- exit: 4 -->\n" + failing)


def test_an_exit_status_can_be_asked_for() -> None:
    assert not _problems(_console("$ (exit 3)", "$ echo $?", "3"))
    assert _problems(_console("$ (exit 3)", "$ echo $?", "4"))


def test_an_unknown_option_is_a_problem() -> None:
    (problem,) = _problems(_console("$ riseml status --foo", "…"))
    assert "the exit status is 2" in problem


@pytest.mark.parametrize(
    "text",
    [
        "<!-- run: never, no cluster here -->\n"
        + _console("$ riseml status --foo", "…"),
        "Type `riseml status --foo`.\n",
        "    riseml status --foo\n",
        "```sh\nriseml status --foo\n```\n",
        "`riseml no-such-command`\n",
        "`cd x && KEY=a riseml status --foo`\n",
    ],
)
def test_options_of_blocks_that_do_not_run_must_exist(text: str) -> None:
    assert options.mistakes(text)


def test_existing_options_are_right() -> None:
    text = "`riseml exec 14 -- nvidia-smi --foo`, `riseml user create ana --output ana.key`, `riseml --help`"
    assert options.mistakes(text) == []
    assert options.mistakes("`kubectl -n riseml get pods`") == []


def test_state_is_kept_from_block_to_block() -> None:
    text = _console("$ mkdir sub && cd sub", "$ export NAME=ada")
    text += "<!-- file: x -->\n```text\nhere\n```\n"
    text += _console("$ cat x", "here", "$ echo $NAME $HOME", "ada /home/ada")
    text += _console("$ pwd", "/home/ada/page/sub")
    assert _problems(text) == []


def test_a_hidden_command_runs_and_may_not_fail() -> None:
    assert not _problems("<!-- setup: X=1 -->\n" + _console("$ echo $X", "1"))
    assert _problems("<!-- setup: false -->\n")


def test_nothing_is_left_behind() -> None:
    with Shell("page") as shell:
        shell.run("sleep 1000 & setsid sleep 1000 &")
        assert len(shell.processes()) == 2
    assert not shell.processes()
    assert not shell.root.exists()


def test_a_reason_is_needed_for_what_never_runs() -> None:
    console = _console("$ riseml status")
    assert pages.blocks("<!-- run: never, it needs a cluster -->\n" + console)
    with pytest.raises(pages.PageError, match="needs a reason"):
        pages.blocks("<!-- run: never -->\n" + console)
    with pytest.raises(pages.PageError, match="no suite 'clusters'"):
        pages.blocks("<!-- run: clusters -->\n" + console)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- file: x -->\nsomething else\n",
        "```console\noutput first\n```\n",
        "```console\n$ true\n",
    ],
)
def test_the_form_of_a_page_is_checked(text: str) -> None:
    with pytest.raises(pages.PageError):
        pages.blocks(text)


def test_suites_run_their_blocks_with_the_local_ones() -> None:
    text = _console("$ echo 1")
    text += "<!-- setup: prepare -->\n<!-- run: cluster -->\n" + _console("$ echo 2")
    blocks = pages.blocks(text)
    assert [block.suite for block in blocks] == ["default", "cluster", "cluster"]
    assert len(selected(blocks, "default")) == 1
    assert len(selected(blocks, "cluster")) == 3
    assert selected(blocks, "frameworks") == []


def test_steps_are_files_and_commands() -> None:
    file, block = pages.blocks(PAGE)
    assert file.steps == [File("hello.py", 'print("hello")\n', 4)]
    last = block.steps[-1]
    assert isinstance(last, Command)
    assert last.text == "for name in a \\\nb; do echo $name; done"
    assert last.output == ["a", "b"]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("Started 3 seconds ago", "Started 1 minute 2 s ago"),
        ("(37.2 KB, 4 files)", "(1 MB, 4 files)"),
        ("accuracy=0.97", "accuracy=0.1234"),
        ("revision 0123abcd", "revision fedc4321aa"),
        ("2026-01-02 10:11:12 x", "2027-01-02 00:11 x"),
        ("Python 3.12.4", "Python 3.11.7"),
        ("1    ab", "1 ab"),
        ("✓ FINISHED 2 seconds 0 seconds", "✓ FINISHED just now 0 seconds"),
    ],
)
def test_what_changes_is_the_same(shown: str, printed: str) -> None:
    assert is_same([shown], [printed])


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["4 files"], ["5 files"]),
        (["FINISHED"], ["FAILED"]),
        (["a", "b"], ["a"]),
        (["a", "…", "c"], ["a", "b"]),
        (["set 1"], ["set 2"]),
        (["★ 2.1 FINISHED"], ["★ 2.2 FINISHED"]),
        (["speed 905.1"], ["speed 904.9"]),
    ],
)
def test_what_matters_is_not(shown: list[str], printed: list[str]) -> None:
    assert not is_same(shown, printed)


def test_an_ellipsis_stands_for_lines_and_for_text() -> None:
    assert is_same(["a", "…", "d"], ["a", "b", "c", "d"])
    assert is_same(["a", "…"], ["a"])
    assert is_same(["a … d"], ["a b c d"])


def test_states_on_the_way_do_not_count() -> None:
    assert is_same(["1.1 | --> RUNNING", "a"], ["a"])
    assert not is_same(["1.1 | --> FINISHED", "a"], ["a"])


def test_loosely_needs_half_of_the_words() -> None:
    assert is_similar(["one two three"], ["two three four"])
    assert not is_similar(["one two three"], ["three four five"])


def test_outputs_are_rewritten_in_place() -> None:
    text = PAGE.replace("\nhello\n", "\ngoodbye\n").replace("\na\nb\n", "\n")
    with Shell("page") as shell:
        walked = walk("page", pages.blocks(text), shell)
    assert rewritten(text, walked.outputs, everything=False) == PAGE


def test_a_right_output_is_not_rewritten() -> None:
    text = _console("$ echo x 1.5; echo b", "x 1.75", "…")
    with Shell("page") as shell:
        walked = walk("page", pages.blocks(text), shell)
    assert rewritten(text, walked.outputs, everything=True) == text


@pytest.mark.parametrize(
    "block",
    [
        "project: a\ntrain: {run: python x.py, resources: {cpus: many}}\n",
        "train:\n  paramters: {lr: 1}\n",
    ],
)
def test_a_wrong_riseml_yml_is_a_problem(block: str, tmp_path: Path) -> None:
    (found,) = configurations.all_of(f"```yaml\n{block}```\n")
    assert configurations.error_of(found[1], tmp_path)


def test_a_part_of_a_riseml_yml_is_completed(tmp_path: Path) -> None:
    assert not configurations.error_of("train:\n  results: {loss: min}\n", tmp_path)


def test_a_prompt_names_who_types() -> None:
    page = """<!-- setup: admin$ echo 1 > ~/mine; echo 2 > shared -->

```console
admin$ cat ~/mine; echo $KUBECONFIG; basename $HOME
1
of the test
admin
ida$ ls ~/mine 2> /dev/null || cat shared
2
ida$ echo ida validates
ida validates
```
"""
    provision = Provision(
        names={"ida": "q42"}, people={"admin": {"KUBECONFIG": "of the test"}}
    )
    with Shell("page", provision) as shell:
        walked = walk("page", selected(pages.blocks(page), "default"), shell)
        root = shell.root
        assert shell.of("ida").run("echo ida validates > here; cat here") == (
            "ida validates\n",
            0,
        )
        assert (shell.folder / "here").read_text() == "q42 validates\n"
    assert walked.problems == []
    assert not root.exists()
