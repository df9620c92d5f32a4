"""What the start of the service leaves alone: libraries that few starts need cost each of them time and memory."""

import json
import subprocess
import sys

SELDOM = ("alembic", "authlib", "segno")


def test_the_start_loads_no_library_that_is_seldom_needed():
    begun = "import sys, json, app.serve; app.serve.registry.load(); print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", begun], capture_output=True, check=True).stdout)
    assert "runners.check.tls" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in SELDOM]
