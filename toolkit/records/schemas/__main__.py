"""Write all schema files again: `python -m toolkit.records.schemas`."""

import sys

from . import write_all

for path in write_all():
    sys.stdout.write(f"{path}\n")
