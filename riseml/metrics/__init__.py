"""Metrics of unmodified programs, read from the logs and files that they write.

    bytes since the last look ──reader──▶ Series by name ──choose──▶ best and last value of each metric

    log.py         lines such as `val_loss=0.3`, progress bars, and the user's own patterns
    events.py      TensorBoard event files
    tables.py      CSV files with a header
    documents.py   JSON files, such as trainer_state.json
    names.py       which series a name of riseml.yml means
    files.py       which files have metrics, and how far each has been read
    experiment.py  all files of one experiment, and what they say together
    result_file.py     the file into which programs report results themselves
    folder_files.py    the files of an output folder on this machine

Everything else is pure: the engines find the files and pass on their bytes. Readers keep how far
they have come in a state that is plain JSON data, so that no byte of a log is read twice.
"""
