"""Schema of YAML files: nodes with positions, kinds of values, and messages about faults.

yaml_parser.py, yaml_kinds.py    text ──▶ nodes, tagged by YAML's core schema
yaml_document.py                 nodes with positions, and the faults noted about them
value.py, scalars.py, fields.py  kinds of values: each reads a node and has a JSON Schema
resources.py                     cores, memory, durations and workers
messages.py, texts.py            words for faults
"""
