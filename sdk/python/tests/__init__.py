"""Tests of the Python client, against real nodes: `python -m unittest discover -s tests -t .` in sdk/python."""
