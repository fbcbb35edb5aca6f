"""What this machine's processor is and can do."""

from __future__ import annotations

import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def flags(cpuinfo: Path = CPUINFO) -> set[str]:
    """Names of the first processor's features, such as "avx512f"; none off Linux."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", _text(cpuinfo), re.MULTILINE)
    return set(found[1].split()) if found else set()


def name(cpuinfo: Path = CPUINFO) -> str:
    """The first processor's model, in words of its maker where the system tells."""
    found = re.search(r"^model name\s*: (.+)$", _text(cpuinfo), re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _text(cpuinfo: Path) -> str:
    try:
        return cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return ""
