"""Reading of YAML: nodes with positions, the kinds of value, and the messages about faults."""
