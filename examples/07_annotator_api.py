"""Review by a script: take a grasp from the annotator's queue, let physics judge it, decide.

It starts a server of its own; for one that runs, leave that out, and send "Authorization: Bearer TOKEN" if it has a
token.

Usage:
    python examples/07_annotator_api.py [out/demo]
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx


def main(demo: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch:
        # a database of its own: the review of the library is a person's
        words = ["annotate", str(demo / "library.h5"), "--port", str(port), "--objects.source", "stand-in"]
        words += ["--database", f"sqlite:///{scratch}/review.sqlite"]
        server = subprocess.Popen([sys.executable, "-m", "pipelines.cli", *words], stdout=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=60) as client:
                review(client, server)
        finally:
            server.terminate()
            server.wait(20)


def review(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    wait_for(client, server)
    queue = client.get("/queue", params={"limit": 3}).json()
    print(queue["total"], "grasps wait; the first:", [item["key"] for item in queue["items"]])

    lease = client.post("/lease", json={"annotator": "script"}).json()
    item = lease["item"]
    print(f"took {item['key']}, type {item['grasp_type']} {item['type_name']}: {item['reason']}")

    job = client.post("/verify", json={"number": item["number"]}).json()["job"]
    while not (state := client.get(f"/jobs/{job}").json())["done"]:
        time.sleep(0.2)
    verdict = state["verification"]
    print("physics:", "holds" if verdict["held"] else "does not hold", verdict["reason"])

    action = "accept" if verdict["held"] and not verdict["reason"] else "reject"
    body = {"token": lease["token"], "action": action, "reason": "by script", "uid": "example-0001"}
    decision = client.post("/decide", json=body)
    decision.raise_for_status()
    print("decided:", decision.json()["action"])
    print("statistics:", client.get("/statistics").json()["annotators"]["script"])


def wait_for(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    for _ in range(300):
        if server.poll() is not None:
            raise SystemExit("the server ended: see above")
        try:
            client.get("/queue", params={"limit": 1}).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("the server does not answer")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
