"""`python -m faults`: everything that is planted, as JSON."""

import json
import sys

from . import FOLDERS, listed

json.dump(
    [
        {
            "id": one.id,
            "breaks": sorted(one.breaks),
            "kind": one.kind,
            "description": one.description,
            "server": folder,
            "contract": one.contract,
        }
        for folder in FOLDERS
        for one in sorted(listed(folder).values(), key=lambda planted: planted.id)
    ],
    sys.stdout,
    indent=1,
)
sys.stdout.write("\n")
