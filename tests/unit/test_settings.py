"""Sources of settings, and faults in settings files."""

import os
import pwd
from pathlib import Path

import pytest

from riseml.errors import HomeError, InvalidInputError, RiseMLError
from riseml.settings import SHARED_GPUS, load
from tests.privileges import nobody


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a home and a project folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "project" / ".riseml").mkdir(parents=True)
    return tmp_path / "home", tmp_path / "project"


def test_defaults(tmp_path: Path) -> None:
    settings = load(environment={"RISEML_HOME": str(tmp_path), "LOGNAME": "paul"})
    assert (settings.home, settings.engine, settings.gitignore, settings.user) == (
        tmp_path,
        "local",
        True,
        "paul",
    )
    assert settings.origins == {"home": "RISEML_HOME"}


def test_the_default_home_is_in_the_users_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(environment={}).home == tmp_path / ".riseml"
    assert (
        load({"home": None}, environment={"RISEML_HOME": ""}).home
        == tmp_path / ".riseml"
    )
    assert (
        load({"home": "~/x"}, environment={"RISEML_HOME": "/other"}).home
        == tmp_path / "x"
    )


def test_a_relative_home_is_in_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(environment={"RISEML_HOME": "relative"}).home == tmp_path / "relative"


def test_the_nearer_source_wins(folders: tuple[Path, Path]) -> None:
    home, project = folders
    environment = {"RISEML_HOME": str(home)}
    assert load(environment=environment, project=project).gitignore is True
    (home / "config").write_text("gitignore: no\n")
    settings = load(environment=environment, project=project)
    assert (settings.gitignore, settings.origins["gitignore"]) == (
        False,
        str(home / "config"),
    )
    (project / ".riseml" / "config").write_text("gitignore: true\n")
    settings = load(environment=environment, project=project)
    assert (settings.gitignore, settings.origins["gitignore"]) == (
        True,
        str(project / ".riseml" / "config"),
    )
    environment["RISEML_GITIGNORE"] = "off"
    settings = load(environment=environment, project=project)
    assert (settings.gitignore, settings.origins["gitignore"]) == (
        False,
        "RISEML_GITIGNORE",
    )
    settings = load({"gitignore": True}, environment, project)
    assert (settings.gitignore, settings.origins["gitignore"]) == (
        True,
        "the command line",
    )


def test_a_variable_names_the_users_file(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "settings").write_text("gitignore: false")
    environment = {
        "RISEML_HOME": str(folders[0]),
        "RISEML_CONFIG": str(tmp_path / "settings"),
    }
    assert load(environment=environment).gitignore is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# nothing\n",
        "gitignore:\n",
        "current-context: default\ncontexts: []\nclusters: [{name: x}]\nusers: []\n",
    ],
)
def test_files_without_settings(text: str, folders: tuple[Path, Path]) -> None:
    (folders[0] / "config").write_text(text)
    assert load(environment={"RISEML_HOME": str(folders[0])}).gitignore is True


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        ("gitignor: true", "unknown setting 'gitignor'", "Did you mean gitignore?"),
        (
            "7: true",
            "unknown setting '7'",
            "Settings are engine, gitignore, plain, context, runner, workdir_limit, resources",
        ),
        (
            "workdir_limit: much",
            "'much' is not a size",
            "Write a size like 10 GB or 500 MB.",
        ),
        (
            "gitignore: maybe",
            "'maybe' is neither true nor false",
            "Write true or false.",
        ),
        (
            "engine: slurm",
            "there is no engine 'slurm'",
            "Installed engines: argo, local.",
        ),
        ("- a\n- b", "config:1:1: this must be a mapping", "`name: value` lines"),
        ("a: b: c", "config:1:5: mapping values are not allowed", "in quotes"),
        ("a: [", "config:1:5: the value that begins here is not closed", "Its end"),
        (b"\xff\xfe", "config:1:1: the byte 0xFF is not UTF-8", "`name: value` lines"),
        ("#\n  gitignor: 1", "config:2:3: unknown setting 'gitignor'", "Did you mean"),
        (
            "#\ngitignore: x",
            "config:2:1: 'x' is neither true nor false",
            "true or false",
        ),
        ("engine: [a]", "config:1:1: there is no engine", "Installed engines"),
        ("workdir_limit: !!int x", "config:1:16: 'x' is not a number", "`name: value`"),
        ("gitignore: !!timestamp 2", "config:1:12: the tag tag:yaml", "`name: value`"),
        ("a: " + "9" * 5000, "config:1:4: '9999", "`name: value` lines"),
        (
            "gitignore: true\ngitignore: true",
            "config:2:1: duplicate key",
            "`name: value`",
        ),
        ("current-context: [" * 200, "config:1:", "Such a file never needs"),
    ],
)
def test_faults_in_a_file(
    text: str | bytes, message: str, advice: str, folders: tuple[Path, Path]
) -> None:
    file = folders[0] / "config"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInputError) as caught:
        load(environment={"RISEML_HOME": str(folders[0])})
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    assert advice in caught.value.advice


def test_a_fault_in_a_variable_names_it(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match="gitignore in RISEML_GITIGNORE: 'x' is neither"
    ):
        load(environment={"RISEML_HOME": str(tmp_path), "RISEML_GITIGNORE": "x"})


@pytest.mark.parametrize("kind", ["pipe", "folder", "/dev/zero"])
def test_a_settings_file_that_is_no_file(
    kind: str, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """It is refused at once, and so is that of a project."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for file in (folders[0] / "config", folders[1] / ".riseml" / "config"):
        file.symlink_to(tmp_path / kind)
        with pytest.raises(InvalidInputError, match=f"{file} is not a regular file"):
            load(environment={"RISEML_HOME": str(folders[0])}, project=folders[1])
        file.unlink()


def test_the_null_device_stands_for_no_settings(tmp_path: Path) -> None:
    environment = {"RISEML_HOME": str(tmp_path), "RISEML_CONFIG": os.devnull}
    assert load(environment=environment).gitignore is True


@pytest.mark.parametrize("lists", ["clusters: 1", "clusters: {a: 1}", "users: [1, x]"])
def test_damaged_lists_of_contexts_name_no_context(
    lists: str, folders: tuple[Path, Path]
) -> None:
    (folders[0] / "config").write_text(f"current-context: lab\n{lists}\n")
    assert load(environment={"RISEML_HOME": str(folders[0])}).context == ""


def test_an_unreadable_file(folders: tuple[Path, Path]) -> None:
    (folders[0] / "config").write_text("gitignore: true")
    (folders[0] / "config").chmod(0)
    with nobody(), pytest.raises(HomeError, match="cannot read"):
        load(environment={"RISEML_HOME": str(folders[0])})


def test_a_home_that_is_a_file_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert load(environment={"RISEML_HOME": str(tmp_path / "file")}).origins == {
        "home": "RISEML_HOME"
    }


@pytest.mark.parametrize(
    ("environment", "user"),
    [
        ({"LOGNAME": "jane.doe", "USER": "x"}, "jane-doe"),
        ({"USER": "DOMAIN\\jane"}, "DOMAIN-jane"),
        ({"LOGNAME": "", "USER": "räk"}, "r-k"),
        ({"LOGNAME": "..."}, f"user{os.getuid()}"),
    ],
)
def test_the_user_is_the_login_as_an_id(environment: dict[str, str], user: str) -> None:
    assert load(environment=environment).user == user


def test_without_variables_the_user_database_names_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load(environment={}).user

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert load(environment={}).user == f"user{os.getuid()}"


def test_all_errors_are_for_users() -> None:
    assert issubclass(HomeError, RiseMLError)
    assert issubclass(InvalidInputError, RiseMLError)


@pytest.mark.parametrize(
    ("text", "size"),
    [("10 GB", 10**10), ("500M", 5 * 10**8), ("1Gi", 2**30), ("0", 0)],
)
def test_a_limit_in_the_units_of_riseml_yml(
    text: str, size: int, folders: tuple[Path, Path]
) -> None:
    environment = {"RISEML_HOME": str(folders[0]), "RISEML_WORKDIR_LIMIT": text}
    assert load(environment=environment).workdir_limit == size


@pytest.mark.parametrize(
    ("text", "variable", "enforced"),
    [
        ("", "", False),
        ("resources.enforce: true", "", True),
        ("resources.enforce: true", "false", False),
        ("", "true", True),
    ],
)
def test_a_setting_with_a_dot_has_a_variable_with_an_underscore(
    text: str, variable: str, enforced: bool, folders: tuple[Path, Path]
) -> None:
    home, _ = folders
    (home / "config").write_text(text)
    environment = {"RISEML_HOME": str(home), "RISEML_RESOURCES_ENFORCE": variable}
    assert load(environment=environment).resources_enforce is enforced


def test_gpus_may_be_shared_with_others(folders: tuple[Path, Path]) -> None:
    home, project = folders
    environment = {"RISEML_HOME": str(home)}
    assert load(environment=environment).gpus_shared_with_others is False
    (home / "config").write_text("gpus.shared_with_others: true")
    assert load(environment=environment).gpus_shared_with_others is True
    (project / ".riseml").mkdir(exist_ok=True)
    (project / ".riseml" / "config").write_text("gpus.shared_with_others: no")
    assert load(None, environment, project).gpus_shared_with_others is False
    environment[SHARED_GPUS] = "1"
    assert load(None, environment, project).gpus_shared_with_others is True


def test_a_nested_setting_is_not_known(folders: tuple[Path, Path]) -> None:
    home, _ = folders
    (home / "config").write_text("resources: {enforce: true}")
    with pytest.raises(InvalidInputError) as caught:
        load(environment={"RISEML_HOME": str(home)})
    assert caught.value.advice == "Did you mean resources.enforce?"
