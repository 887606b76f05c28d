"""A mapping: one YAML file that says what of one source goes where in one target."""
