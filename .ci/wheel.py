"""Is everything that a wheel needs in it? Every file of the packages, assets, schemas, configurations.

Usage:
    python .ci/wheel.py dist/yaff-0.1.0-py3-none-any.whl
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("yaff", "annotator", "pipelines")
INSIDE = {"assets": "yaff/_assets", "schemas": "yaff/_schemas", "configs": "yaff/_configs"}


def main(wheel: Path) -> int:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    wanted = {name for name in listed if name.split("/")[0] in PACKAGES}
    wanted |= {INSIDE[top] + name[len(top) :] for name in listed if (top := name.split("/")[0]) in INSIDE}
    missing = sorted(wanted - set(zipfile.ZipFile(wheel).namelist()))
    for name in missing:
        sys.stderr.write(f"{wheel.name} lacks {name}\n")
    sys.stdout.write(f"{wheel.name}: {len(wanted) - len(missing)} of {len(wanted)} files\n")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
