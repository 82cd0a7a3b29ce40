"""Python API: `riseml.Client` and the types it returns."""
