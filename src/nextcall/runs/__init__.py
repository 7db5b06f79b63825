"""Runs a notebook from a YAML file and leaves a report; knows notebooks and files only."""
