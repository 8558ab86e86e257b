"""Email: letters come in over SMTP, answers go out through the city's mail relay.

`door.py` takes letters, `child.py` reads them in a process of its own (`parsing.py`), `sending.py` sends ours,
`adapter.py` shows the whole to the hotline. This file imports nothing: the reading process starts through it.
"""
