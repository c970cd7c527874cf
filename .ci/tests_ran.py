"""Fail when a test with a marker was skipped although what it needs is there.

Usage: tests_ran.py JUNIT_XML MARKER
"""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def marked_tests(marker: str) -> set[tuple[str, str]]:
    """(classname, name) of every collected test with the marker, as JUnit reports write them."""
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", marker, "--collect-only", "-q", "--no-header"],
        capture_output=True,
        text=True,
        check=False,
    )
    tests = set()
    for line in listing.stdout.splitlines():
        path, separator, name = line.partition("::")
        if separator:
            *classes, test = name.split("::")
            tests.add((".".join([path.removesuffix(".py").replace("/", "."), *classes]), test))
    return tests


def main(report: str, marker: str) -> int:
    """Exit status: 0 when each test with the marker ran, else 1."""
    expected = marked_tests(marker)
    ran, skipped = set(), []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        key = (case.get("classname", ""), case.get("name", ""))
        if key in expected:
            skip = case.find("skipped")
            if skip is None:
                ran.add(key)
            else:
                skipped.append(f"{'::'.join(key)}: {skip.get('message', '')}")
    missing = len(expected) - len(ran) - len(skipped)
    if skipped or missing:
        sys.stderr.write(f"{len(skipped)} {marker} tests were skipped and {missing} did not run:\n")
        sys.stderr.write("".join(f"  {line}\n" for line in skipped))
        return 1
    sys.stdout.write(f"{marker}: all {len(ran)} tests ran\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
