from __future__ import annotations

import subprocess
import sys

# A provider's SDK costs up to 28 MB; an idle server without traffic on that door does not pay for it.
LARGE = ("telegram", "twilio.rest", "requests", "httpx", "aiohttp")
DOORS = ("telegram", "web", "console", "twilio.sms", "twilio.voice")


def test_loading_the_doors_loads_no_large_library() -> None:
    imports = "; ".join(f"import channels.adapters.{door}" for door in DOORS)
    code = f"{imports}; import sys; print(sorted(set({LARGE!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
