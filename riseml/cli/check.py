"""Command `riseml check`."""

from riseml import phrases
from riseml.cli import arguments, error_records, formats, options, output
from riseml.cli.documents import Document
from riseml.cli.error_records import FaultRecord
from riseml.client.client import Client
from riseml.client.project_folder import CONFIG_FILE
from riseml.dataclass import replace
from riseml.errors import Fault
from riseml.excerpts import LONGEST, excerpt

DOCUMENTS = {"check": Document(list[FaultRecord])}


def command(
    words: arguments.Words = None,
    config_file: options.ConfigFile = CONFIG_FILE,
    settings: arguments.Settings = None,
    output_format: options.OutputFormat = "table",
) -> int:
    """Report every error in a riseml.yml.

    Values and options are those of `riseml train`.
    The exit status is 2 if there are errors, and 0 if there are none or only warnings.

    Examples:
      riseml check
      riseml check -f riseml_big.yml -o json
    """
    client = Client()
    config_file, overrides = arguments.read(config_file, words, settings)
    faults = client.check(config_file, overrides=overrides)
    errors = [fault.severity for fault in faults].count("error")
    if not formats.is_for_people(output_format):
        records = list(map(error_records.fault_record, faults))
        data = formats.of_records(records, FaultRecord, "message")
        names = list(map(_position, faults))
        formats.write_data(replace(data, names=names), output_format)
    else:
        output.lines(map(str, faults))
        file = excerpt(config_file, LONGEST)
        output.note(_summary(file, errors, len(faults) - errors))
        if not errors:
            _note_exclusions(client, config_file)
    # Warnings alone must not stop a pipeline.
    return 2 if errors else 0


def _note_exclusions(client: Client, config_file: str) -> None:
    """Say what a run of the file would not get."""
    from riseml.cli import exclusions

    phrases = exclusions.sentences(client.survey(config_file).excluded)
    if phrases:
        output.note(f"Its code is its folder; {'; '.join(phrases)}.")


def _summary(file: str, errors: int, warnings: int) -> str:
    counts = []
    if errors:
        counts.append(phrases.plural(errors, "error"))
    if warnings:
        counts.append(phrases.plural(warnings, "warning"))
    if errors:
        return f"{file}: {', '.join(counts)}."
    if warnings:
        return f"{file} is valid, with {', '.join(counts)}."
    return f"{file} is valid."


def _position(fault: Fault) -> str:
    """Return where a fault is, in the form that editors jump to."""
    return f"{fault.file}:{fault.line}:{fault.column}"
