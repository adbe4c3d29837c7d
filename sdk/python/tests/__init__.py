"""Tests of the Python client, against real nodes: `python -m unittest discover -s tests -t .` in sdk/python.

No test is timed; where one hangs all are ended, and it is shown where they were.
"""

import faulthandler

# Longer than all tests take on a slow machine, s.
faulthandler.dump_traceback_later(2400, exit=True)
