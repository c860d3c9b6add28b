"""`pripro doctor`: what is installed, which targets work here, and what would make the others work."""

from __future__ import annotations

from ._console import next_command, say, show_json, show_table
from ._options import JsonOption


def command(as_json: JsonOption = False) -> None:
    """Check this machine; each thing that is missing comes with the command that gets it."""
    from ._doctor import examine

    checks = examine()
    if as_json:
        show_json({"checks": [{"name": c.name, "state": c.state, "detail": c.detail, "get": c.get} for c in checks]})
    else:
        show_table(("what", "state", "detail", "get it with"), [(c.name, c.state, c.detail, c.get) for c in checks])
    if any(check.state == "wrong" for check in checks):
        say("something is wrong in this environment; see the rows above.")
    next_command("pripro cuts resnet18   # where a network can be cut")
