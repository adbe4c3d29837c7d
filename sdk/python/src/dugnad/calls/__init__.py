"""Plain Python functions on the grid: what travels, how it runs there, and how answers come back.

Invariant: nothing that comes back is ever unpickled or executed; it is plain data (`plain`). What is sent is
looked over before (`needs`), so that what cannot run there is refused here, by name.
"""
