"""Reading of the file, and the text of faults."""

import json
import os
from pathlib import Path

import pytest

from riseml.config import MAX_BYTES, load, load_text
from riseml.errors import ConfigError, Fault
from riseml.schema import yaml_parser
from riseml.schema.texts import printable
from tests.privileges import nobody

GOOD = "project: ab\ntrain: {image: python, resources: {}, run: 'x'}\n"


def refused(path: Path) -> Fault:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_status == 2
    return caught.value.faults[0]


def test_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "riseml.yml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    loaded = load(file)
    assert loaded.project == "ab"
    assert loaded.text == file.read_bytes().decode()
    assert loaded.config.train == loaded.train
    assert load_text(loaded.text).train == loaded.train


@pytest.mark.parametrize(
    ("content", "position", "words"),
    [
        (b"", "0:0", "is empty"),
        (b"\xff\xfep\x00", "0:0", "in UTF-16"),
        (GOOD.encode("utf-16-be"), "0:0", "NUL bytes"),
        (b"project: ab\n# \xe9t\xe9\n", "2:3", "the byte 0xE9 is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "0:0", "NUL bytes"),
        (b"#" * (MAX_BYTES + 1), "0:0", "larger than 1 MB"),
        (b"project: a\x1bb\n", "1:11", "U+001B"),
    ],
)
def test_bad_content(tmp_path: Path, content: bytes, position: str, words: str) -> None:
    file = tmp_path / "riseml.yml"
    file.write_bytes(content)
    fault = refused(file)
    assert f"{fault.line}:{fault.column}" == position
    assert words in fault.message
    assert str(fault).startswith(str(file))


def test_no_file(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "riseml.yml").message
    assert "is a directory" in refused(tmp_path).message
    (tmp_path / "x").write_text("")
    assert "Not a directory" in refused(tmp_path / "x" / "riseml.yml").message
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in refused(tmp_path / "loop").message
    assert "null byte" in refused(tmp_path / "a\0b").message
    assert "too long" in refused(tmp_path / ("x" * 300)).message


def test_a_pipe_is_refused_without_reading_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(tmp_path / "pipe").message


def test_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "riseml.yml"
    file.write_text(GOOD)
    file.chmod(0)
    with nobody():
        assert "Permission denied" in refused(file).message


@pytest.mark.parametrize(
    "name",
    [
        "ri se.yml",
        "größe.yml",
        os.fsdecode(b"\xff.yml"),
        "a\nb\x1b[31m.yml",
        "$(x).yml",
    ],
)
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("project: x\n")
    text = str(refused(file))
    assert text.encode()
    assert text.count("\n") == 3
    assert "\x1b" not in text
    file.write_text(GOOD)
    assert load(file).project == "ab"


def test_a_fault_shows_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(
            "project: ab\ntrain:\n  run: x\n  resorces: {}\n  image: python\n", "my.yml"
        )
    assert str(caught.value) == (
        "my.yml:4:3: error: unknown key 'resorces' in train\n      resorces: {}\n      ^\n    Did you mean 'resources'?"
    )


@pytest.mark.parametrize(
    ("line", "printed", "caret"),
    [
        ("日本: x", "    日本: x", "          ^"),
        ("a\u0301: x", "    a\u0301: x", "       ^"),
        ("\u202ea: x", "    \N{REPLACEMENT CHARACTER}a: x", "        ^"),
    ],
)
def test_the_caret_is_below_the_fault(line: str, printed: str, caret: str) -> None:
    fault = load_faults(
        f"project: {{{line}}}".replace("project: {", "{project: ab, train: {}, ") + "\n"
    )[0]
    assert str(Fault("f", 1, len(line), "m", source=printable(line))).split("\n")[
        1:
    ] == [printed, caret]
    assert fault.severity == "error"


def load_faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return caught.value.faults


def test_long_lines_are_cut_around_the_fault() -> None:
    values = ", ".join(["1"] * 5_000)
    fault = load_faults(
        f"project: ab\ntrain: {{image: python, resources: {{}}, run: x, env: [{values}]}}\n"
    )[0]
    run = load_faults(
        f"project: ab\ntrain: {{image: python, resources: {{}}, run: [{values}]}}\n"
    )
    assert fault.column == 52
    assert len(str(ConfigError(run))) < 500 * 400
    for line, caret in (str(fault).split("\n")[1:3] for fault in run[:-1:50]):
        assert line[caret.index("^")] == "1"


def test_at_most_500_faults_are_listed() -> None:
    faults = load_faults("project: ab\n" + "".join(f"k{n}: x\n" for n in range(2_000)))
    assert len(faults) == 501
    assert faults[-1].message == "1,500 more like this are not listed"
    assert faults[-1].severity == "error"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("train: {resources: {cpu: 1}}", "It is called 'cpus' here."),
        ("train: {resources: {gpuss: 1}}", "Did you mean 'gpus'?"),
        (
            "train: {cpus: 1}",
            "'cpus' belongs directly in train.resources; is the indentation right?",
        ),
        (
            "train: {resources: {run: x}}",
            "'run' belongs directly in train; is the indentation right?",
        ),
        ("image: x", "'image' belongs directly in train; is the indentation right?"),
        (
            "framework: x",
            "'framework' belongs directly in train; is the indentation right?",
        ),
        ("xyzzy: x", "Known keys: project, train."),
        (
            "train: {tensorflow: {distributed: {workers: 1}}}",
            "Did you mean 'worker'? With Horovod",
        ),
        (
            "train: {tensorflow: {distributed: {type: horovod}}}",
            "For Horovod write horovod: {workers: 2}",
        ),
        ("train: {command: x}", "Did you mean 'run'?"),
        ("train: {concurrency: 1.0}", "Write 1."),
        ("train: {concurrency: '4'}", "Write it without quotes: 4."),
        ("train: {concurrency: 1_000}", "Write it without quotes: 1000."),
        ("train: {tensorflow: {tensorboard: Yes}}", "Write true."),
        ("train: {tensorflow: {tensorboard: off}}", "Write false."),
        (
            "train: {tensorflow: {version: 1.8}}",
            "Write all three numbers, such as 1.5.0",
        ),
        ("train: {framework: tensorfow}", "Did you mean 'tensorflow'?"),
        ("train: {image: 12}", 'Put it in quotes: "12".'),
        ("train: {run: {{x}}}", "A value that begins with {{ must be in quotes."),
        ("train: {retries: {count: 1, on: preemption}}", "Did you mean 'preempted'?"),
        (
            "train: {resources: {mem: 4gb}}",
            "Write 4G (powers of 1000) or 4Gi (of 1024).",
        ),
        (
            "train: {resources: {mem: 64 KB}}",
            "Write 64k (powers of 1000) or 64Ki (of 1024).",
        ),
        ("train: {timeout: 5 min}", "Write for example 90s, 10m, 1h30m or 2d."),
        (
            "train: {run: *.py}",
            "'*' at the beginning of a value names an anchor; put the value in quotes.",
        ),
        ("train:\n- run: x", "Write its keys without '- ' before them."),
        (
            "train:\n  run: x\n image: x",
            "Keys that belong together begin in the same column.",
        ),
        ("train:\n  run:\n  - x\n  y\n", "Is the indentation right?"),
        ("train: {run: [a, b}", "is not closed before this"),
        ("train: {run: @x}", "Put the value in quotes."),
        ("train: {run: a\n", "Its end is missing"),
        ("train: {parameters: {a: '1', path: 2}}", "Rename it."),
        ("train:\n\trun: x", "YAML allows only spaces for indentation."),
    ],
)
def test_advice(text: str, advice: str) -> None:
    assert advice in " | ".join(
        fault.advice for fault in load_faults(f"project: ab\n{text}\n")
    )


def test_a_bomb_of_aliases_is_quick() -> None:
    lines = ["a0: &a0 {x: y}"] + [
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}"
        for n in range(1, 40)
    ]
    bomb = (
        "project: ab\ntrain:\n  env:\n"
        + "".join(f"    {line}\n" for line in lines)
        + "  parameters: *a39\n"
    )
    assert load_faults(bomb)
    lists = ["- &b0 [x]"] + [
        f"- &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 40)
    ]
    assert (
        len(
            load_faults(
                "project: ab\ntrain:\n  run:\n"
                + "".join(f"    {line}\n" for line in lists)
            )
        )
        < 200
    )


@pytest.mark.parametrize("length", [150, 5_000])
def test_a_long_chain_of_merges_is_refused(length: int) -> None:
    links = "".join(
        f"    A{n}: &a{n} {{K{n}: x, <<: *a{n - 1}}}\n" for n in range(1, length)
    )
    head = "project: ab\ntrain:\n  image: x\n  resources: {}\n  run: y\n  env: &a\n    B: &a0 {}\n"
    faults = load_faults(f"{head}{links}    <<: *a{length - 1}\n")
    assert any(
        "more than 100 mappings are merged into each other" in fault.message
        for fault in faults
    )


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_does_not_overflow(opening: str) -> None:
    assert (
        "nesting"
        in load_faults("project: ab\ntrain:\n  " + opening * 100_000)[0].message
    )


@pytest.mark.parametrize(
    "text",
    [GOOD, "a: [1\nb: 2", "a: b: c", "a: 'x", "a: *x", "---\na\n---\nb", "[" * 500],
)
def test_the_parser_in_python_finds_the_same_faults(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome() -> object:
        try:
            return load_text(text)
        except ConfigError as error:
            return [(fault.line, fault.column) for fault in error.faults]

    in_c = outcome()
    monkeypatch.setattr(yaml_parser, "_loader", lambda: yaml_parser._PureLoader)
    assert outcome() == in_c


def test_faults_are_data() -> None:
    fault = load_faults("project: x\n")[0]
    assert json.loads(json.dumps(vars(fault)))["line"] == 1
