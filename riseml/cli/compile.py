"""Command `riseml compile`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from riseml.cli import arguments, options, output
from riseml.cli.parameters import Option
from riseml.client.client import Client
from riseml.client.compilation import Export
from riseml.client.project_folder import CONFIG_FILE
from riseml.errors import RiseMLError

Target = Annotated[
    str | None,
    Option(
        "-o",
        "--output",
        metavar="FILE",
        show_default=False,
        help="Write to this file, as JSON if it ends in .json or is just json.",
    ),
]
Git = Annotated[
    str | None,
    Option(
        "--git",
        metavar="URL",
        show_default=False,
        help="Check out the code from a Git remote, URL[#REVISION].",
    ),
]
Number = Annotated[
    int | None,
    Option(
        "--number",
        metavar="N",
        min=1,
        show_default=False,
        help="Number of the run.",
    ),
]
User = Annotated[str, Option("--user", metavar="NAME", help="Owner of the run.")]
Standalone = Annotated[
    bool,
    Option(
        "--standalone",
        help="Need nothing but a namespace with Argo; the document contains the code.",
    ),
]
Keep = Annotated[
    str,
    Option(
        "--keep",
        metavar="WHERE",
        help="Where a standalone run keeps its output: nothing, new-claim[:SIZE], "
        "claim:NAME or artifacts.",
    ),
]
Template = Annotated[
    bool,
    Option(
        "--template",
        help="Write a WorkflowTemplate with the hyperparameters as arguments.",
    ),
]
Cron = Annotated[
    str,
    Option(
        "--cron",
        metavar="SCHEDULE",
        show_default=False,
        help="Write a CronWorkflow that runs at these times, such as '0 3 * * *'.",
    ),
]


def command(
    words: arguments.Words = None,
    config_file: options.ConfigFile = CONFIG_FILE,
    settings: arguments.Settings = None,
    target: Target = None,
    git: Git = None,
    number: Number = None,
    user: User = "me",
    standalone: Standalone = False,
    keep: Keep = "nothing",
    template: Template = False,
    cron: Cron = "",
) -> None:
    """Print the Argo Workflow of a riseml.yml.

    It runs in the namespace of a RiseML user, or with --standalone in any namespace with
    Argo: `kubectl create -f` or `argo submit` starts it. Stderr says what it needs.
    Without --number, Argo generates the name.

    Examples:
      riseml compile --git https://example.org/me/toaster.git > workflow.yaml
      riseml compile --standalone -o workflow.yaml
      riseml compile --standalone --keep new-claim:50Gi -o workflow.json
      riseml compile --git https://example.org/me/toaster.git --cron '0 3 * * *'
    """
    file, overrides = arguments.read(config_file, words, settings)
    export = Export(
        git=git,
        number=number,
        user=user,
        standalone=standalone,
        keep=keep,
        template=template,
        cron=cron,
    )
    exported = Client().export(
        file, export, on_warning=output.note, overrides=overrides
    )
    content = _content(exported.documents, target)
    # As with other commands, `-o json` is a format and not a file.
    if target in {None, "-", "json", "yaml"}:
        output.write(content)
    else:
        _save(Path(str(target)), content)
        output.note(f"Wrote {target}.")
    output.note("The document needs:")
    output.notes(f"  {need}" for need in exported.needs)
    if not standalone:
        output.note("`riseml compile --standalone` needs only Argo.")


def _content(documents: Sequence[dict[str, Any]], target: str | None) -> str:
    from riseml import manifest

    extension = (target or "yaml").rpartition(".")[2]
    if extension != "json":
        return "---\n".join(map(manifest.to_yaml, documents))
    document: Any = documents[0]
    if len(documents) > 1:
        document = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    return manifest.to_json(document) + "\n"


def _save(path: Path, content: str) -> None:
    # A link stays, and the file that it names is replaced.
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():
            # Replacing a device such as /dev/null, or a pipe, would take it from all other programs.
            path.write_text(content, encoding="utf-8")
            return
        # A reader of the file never sees half of it.
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RiseMLError(
            f"cannot write {path}: {error.strerror}", "Choose another file with -o."
        ) from None
