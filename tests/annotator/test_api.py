from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, WebSocket
from review_helpers import fill, grasp, verdict
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from annotator.app.access import COOKIE, Access, is_local
from annotator.app.api import answer_errors, make_router
from annotator.editing import Editor
from annotator.proving import Job
from annotator.service import ReviewService
from annotator.store import Action, GraspState, ItemState, QueueFilter, ReviewStore, open_database
from yaff.hand import load_hand

TOKEN = "s3cret-token"


class Pool:
    """Physics that answers at once: what is called good holds."""

    def submit(self, what: str, object_name: str, state: GraspState, *rest: Any) -> Job:
        future: Future[Any] = Future()
        future.set_result(verdict(state, held=bool(state.pose[0] < 5.0)) if what == "verify" else state)
        return Job(future, {"stage": "done"}, threading.Event())

    def close(self) -> None:
        """Nothing to stop."""


def load(name: str) -> Any:
    """An object of which only the symmetries are asked: half a turn."""
    turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    return SimpleNamespace(symmetries=np.stack([np.eye(4), turn]))


@pytest.fixture
def service(tmp_path: Path):
    store = ReviewStore(open_database(f"sqlite:///{tmp_path / 'r.sqlite'}"))
    fill(store, 30)
    made = ReviewService(store, Editor(load_hand()), Pool(), load, None, {"yaff": "0"})  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def app(service: ReviewService) -> FastAPI:
    made = FastAPI()
    made.include_router(make_router(service))
    answer_errors(made)

    @made.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    return made


@pytest.fixture
def client(app: FastAPI):
    with TestClient(app) as made:
        yield made


@pytest.fixture
def guarded(app: FastAPI):
    with TestClient(Access(app, TOKEN, ["testserver"]), follow_redirects=False) as made:
        yield made


def test_the_story_through_the_api(client, service):
    assert (
        client.get("/api/queue", params={"limit": 2, "sort": "penetration", "descending": True}).json()["total"] == 30
    )
    lease = client.post("/api/lease", json={"annotator": "ada"}).json()
    assert lease["item"]["row"] == 0
    edited = grasp(7).as_json()
    body = {"token": lease["token"], "action": "accept", "grasp": edited, "uid": "decision-1"}
    refused = client.post("/api/decide", json=body)
    assert refused.status_code == 409
    assert "verify it" in refused.json()["remedy"]
    job = client.post("/api/verify", json={"number": lease["item"]["number"], "grasp": edited}).json()["job"]
    answer = client.get(f"/api/jobs/{job}").json()
    assert answer["verification"]["held"] is True
    assert client.post("/api/decide", json=body).json()["after"] == edited
    assert client.post("/api/decide", json=body).status_code == 200  # again: the same answer
    assert service.store.counts()["accepted"] == 1
    assert client.post("/api/withdraw", json={"annotator": "ada", "number": 1}).status_code == 200
    assert service.store.item(1).state is ItemState.OPEN
    assert client.get("/api/statistics").json()["annotators"]["ada"]["decisions"] == 1
    snap = client.post("/api/snap", json={"number": 1, "what": ["thumb"]}).json()["job"]
    assert client.get(f"/api/jobs/{snap}").json()["grasp"] == service.store.grasp(1).as_json()
    assert client.get("/openapi.json").json()["paths"]["/api/decide"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/decide", b"{broken", 422),
        ("POST", "/api/decide", b'{"token": "x", "action": "explode"}', 422),
        ("POST", "/api/decide", b'{"token": "x", "action": "skip"}', 409),
        ("POST", "/api/decide", b'{"token": "x", "action": "skip", "extra": 1}', 422),
        ("POST", "/api/lease", b'{"annotator": ""}', 422),
        ("POST", "/api/lease", b'{"annotator": "a", "number": 999}', 404),
        ("POST", "/api/lease", b"[1, 2]", 422),
        ("POST", "/api/verify", b'{"number": 1, "grasp": {"pose": []}}', 422),
        ("GET", "/api/jobs/nope", None, 404),
        ("GET", "/api/grasps/x", None, 422),
        ("GET", "/api/queue?limit=100000", None, 422),
        ("GET", "/api/queue?sort=drop", None, 422),
    ],
)
def test_bad_requests_are_refused_and_the_server_lives(client, method, path, body, status):
    answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert client.get("/api/queue").status_code == 200


HOSTILE = ("<script>alert(1)</script>", "../../etc/passwd", "'; DROP TABLE item; --", "\u202e" + "a", "x" * 4000)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_kept_as_texts(client, service, text):
    lease = client.post("/api/lease", json={"annotator": "ada"}).json()
    body = {"token": lease["token"], "action": "reject", "reason": text, "note": text}
    assert client.post("/api/decide", json=body).status_code == 200
    (decision,) = service.store.log()
    assert (decision.reason, decision.note) == (text, text)
    assert client.get("/api/queue", params={"reason": text}).json()["total"] == 0


def test_an_accepted_correction_is_tried_on_its_siblings(service):
    lease = service.take("ada", number=1)
    before = service.store.grasp(1)
    editor = service.editor
    after = editor.with_dof(before, {"thumb.cmc.abduction": 0.4})
    service.store.keep_verification("025_mug", verdict(after))
    decision = service.store.decide(lease.token, Action.ACCEPT, after, uid="decision-x")
    count = service.propose_siblings(decision)
    assert count == 12  # the turned one, and as many of the others as are tried
    proposals = service.store.page(QueueFilter(reason="as ada mended"), limit=20).items
    assert all(item.priority == -1 and item.row is None for item in proposals)
    states = {item.key.split("/", 2)[2]: service.store.grasp(item.number) for item in proposals}
    turned = editor.wrist(states["turned/0"])
    assert np.allclose(turned, np.diag([-1.0, -1.0, 1.0, 1.0]) @ editor.wrist(after), atol=1e-5)
    column = editor.anatomy.index("thumb.cmc.abduction")
    was = editor.dof(service.store.grasp(2))[column]
    moved = was + editor.dof(after)[column] - editor.dof(before)[column]
    within = np.clip(moved, editor.anatomy.lower[column], editor.anatomy.upper[column])
    assert np.isclose(editor.dof(states["025_mug/1"])[column], within, atol=1e-4)
    assert service.propose_siblings(decision) == 0  # nothing is proposed twice


# ---------------------------------------------------------------------- access


def test_without_the_token_nothing_answers(guarded):
    for path in ("/", "/api/queue", "/docs", "/_nicegui/x", "/ws"):
        assert guarded.get(path).status_code == 401
    assert guarded.get("/api/queue", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert guarded.get("/api/queue", headers={"cookie": f"{COOKIE}=wrong"}).status_code == 401
    with pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)), guarded.websocket_connect("/ws"):
        pass


def test_the_token_becomes_a_cookie_that_scripts_cannot_read(guarded):
    answer = guarded.get(f"/api/queue?token={TOKEN}&limit=3")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/api/queue?limit=3"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert len(guarded.get("/api/queue?limit=3").json()["items"]) == 3
    with guarded.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "hello"
    guarded.cookies.clear()
    assert guarded.get("/?token=wrong").status_code == 401


def test_a_program_sends_the_token_in_a_header(guarded):
    assert guarded.get("/api/queue", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_other_origins_and_other_names_are_refused(guarded):
    mine = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/queue", headers=mine | {"origin": "http://testserver"}).status_code == 200
    for origin in ("http://evil.example", "null", "http://testserver.evil.example", "file://"):
        assert guarded.post("/api/lease", json={"annotator": "a"}, headers=mine | {"origin": origin}).status_code == 403
        refused = pytest.raises((WebSocketDisconnect, WebSocketDenialResponse))
        with refused, guarded.websocket_connect("/ws", headers=mine | {"origin": origin}):
            pass
    assert guarded.get("/api/queue", headers=mine | {"host": "evil.example"}).status_code == 421


def test_paths_that_climb_are_refused(guarded):
    for path in ("/api/../../etc/passwd", "/api/%2e%2e/%2e%2e/etc/passwd", "/..%5c..%5cx"):
        assert guarded.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code in (400, 404)


def test_bodies_are_bounded_with_and_without_their_length(guarded, service):
    mine = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    assert guarded.post("/api/lease", content=b"x" * 10_000_000, headers=mine).status_code == 413

    def pieces():
        for _ in range(100):
            yield b"x" * 100_000

    assert guarded.post("/api/lease", content=pieces(), headers=mine).status_code == 413
    assert guarded.get("/api/queue", headers=mine).status_code == 200


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("lab7", False)]
)
def test_what_is_local(host, local):
    assert is_local(host) is local


def test_eight_clients_decide_each_grasp_once(client, service):
    def work(k: int) -> list[str]:
        done = []
        while (lease := client.post("/api/lease", json={"annotator": f"p{k}"}).json()) is not None:
            body = {"token": lease["token"], "action": "reject", "reason": "x", "uid": f"{k}-{lease['item']['key']}"}
            assert client.post("/api/decide", json=body).status_code == 200
            done.append(lease["item"]["key"])
        return done

    with ThreadPoolExecutor(8) as pool:
        keys = [key for done in pool.map(work, range(8)) for key in done]
    assert Counter(keys) == Counter({f"025_mug/{k}": 1 for k in range(30)})
    assert len(service.store.log()) == 30
