"""The REST interface under ``/api``, for scripts: queue, grasps, leases, decisions, physics. Described by OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from annotator.review.statistics import review_statistics
from annotator.service import ReviewService, Work
from annotator.store import Action, Decision, GraspState, Item, ItemState, QueueFilter, Verification
from yaff.errors import ConflictError, InputError, PhysicsError, StorageError, UnknownItemError, YaffError

STATUS: tuple[tuple[type[YaffError], int], ...] = (
    (UnknownItemError, 404),
    (ConflictError, 409),
    (InputError, 422),
    (StorageError, 503),
    (PhysicsError, 503),
)
"""HTTP status of each family of errors; the first that fits."""


class Body(BaseModel):
    """What a request may hold: these fields and no others."""

    model_config = ConfigDict(extra="forbid")


Name = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(max_length=4000)]


class LeaseBody(Body):
    """Ask for a grasp to judge."""

    annotator: Name
    number: int | None = None
    """This grasp; the most valuable one if not given."""
    object: Text | None = None
    grasp_type: int | None = None
    thumb_abducted: bool | None = None


class DecisionBody(Body):
    """Judge the grasp that is held."""

    token: Text
    action: Literal["accept", "reject", "skip", "flag"]
    grasp: dict[str, Any] | None = None
    """As edited; as the machine left it if not given."""
    uid: Annotated[str, Field(min_length=8, max_length=64)] | None = None
    """The same when a request is sent again: it is then answered as before."""
    reason: Text = ""
    note: Text = ""
    overruled: Text = ""


class WithdrawBody(Body):
    """Take one's own last decision back."""

    annotator: Name
    number: int


class PhysicsBody(Body):
    """A grasp to verify or to snap."""

    number: int
    grasp: dict[str, Any] | None = None
    what: list[Text] = Field(default_factory=lambda: ["thumb"], max_length=8)
    """What may move, for a snap."""


def item_json(item: Item) -> dict[str, Any]:
    """An item as the API shows it."""
    return {name: getattr(item, name) for name in Item.__dataclass_fields__} | {"state": item.state.value}


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as the API shows it."""
    shown = {name: getattr(decision, name) for name in Decision.__dataclass_fields__}
    return shown | {
        "action": decision.action.value,
        "before": decision.before.as_json(),
        "after": decision.after.as_json(),
        "versions": dict(decision.versions),
    }


def verification_json(verdict: Verification) -> dict[str, Any]:
    """A verdict as the API shows it."""
    shown = {name: getattr(verdict, name) for name in Verification.__dataclass_fields__}
    return shown | {"settled": verdict.settled.as_json(), "versions": dict(verdict.versions)}


def make_router(service: ReviewService) -> APIRouter:
    """The routes of one review. Functions without ``async`` run in threads: the database never stops the page."""
    router = APIRouter(prefix="/api", tags=["review"])

    @router.get("/queue")
    def queue(
        object: str | None = None,
        grasp_type: int | None = None,
        state: ItemState | None = None,
        annotator: str | None = None,
        reason: str | None = None,
        thumb_abducted: bool | None = None,
        sort: str = "priority",
        descending: bool = False,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=0, le=1000)] = 50,
    ) -> dict[str, Any]:
        """Rows of the queue, filtered and sorted, and how many there are."""
        chosen = QueueFilter(object, grasp_type, state, annotator, reason, thumb_abducted)
        page = service.store.page(chosen, sort=sort, descending=descending, offset=offset, limit=limit)
        return {"total": page.total, "items": [item_json(item) for item in page.items]}

    @router.get("/grasps/{number}")
    def grasp(number: int) -> dict[str, Any]:
        """One grasp as the machine left it: the item, its 51 parameters and its measures."""
        item = service.store.item(number)
        state = service.store.grasp(number)
        verdict = service.store.verification(item.object_name, state)
        return {
            "item": item_json(item),
            "grasp": state.as_json(),
            "measures": service.store.measures(number),
            "verification": None if verdict is None else verification_json(verdict),
        }

    @router.post("/lease")
    def lease(body: LeaseBody) -> dict[str, Any] | None:
        """Take a grasp to judge; ``null`` when none is waiting."""
        chosen = QueueFilter(body.object, body.grasp_type, thumb_abducted=body.thumb_abducted)
        taken = service.take(body.annotator, chosen, body.number)
        if taken is None:
            return None
        state = service.store.grasp(taken.item.number)
        return {
            "token": taken.token,
            "until": taken.until,
            "item": item_json(taken.item),
            "grasp": state.as_json(),
            "measures": service.store.measures(taken.item.number),
        }

    @router.post("/lease/{token}/renew")
    def renew(token: str) -> dict[str, float]:
        """Hold on to a grasp."""
        return {"until": service.store.renew(token)}

    @router.delete("/lease/{token}")
    def release(token: str) -> dict[str, bool]:
        """Give a grasp back undecided."""
        service.store.release(token)
        return {"released": True}

    @router.post("/decide")
    def decide(body: DecisionBody) -> dict[str, Any]:
        """Judge the grasp that is held. When this answers, the decision is on the disk."""
        after = None if body.grasp is None else GraspState.from_json(body.grasp)
        decision = service.decide(
            body.token,
            Action(body.action),
            after,
            uid=body.uid,
            reason=body.reason,
            note=body.note,
            overruled=body.overruled,
        )
        return decision_json(decision)

    @router.post("/withdraw")
    def withdraw(body: WithdrawBody) -> dict[str, Any]:
        """Take one's own last decision on a grasp back."""
        return decision_json(service.store.withdraw(body.annotator, body.number))

    @router.post("/verify", status_code=202)
    def verify(body: PhysicsBody) -> dict[str, str]:
        """Begin to verify a grasp; ask for the job."""
        return {"job": service.start_verify(*_of(service, body)).name}

    @router.post("/snap", status_code=202)
    def snap(body: PhysicsBody) -> dict[str, str]:
        """Begin to refine what may move of a grasp; ask for the job."""
        return {"job": service.start_snap(*_of(service, body), body.what).name}

    @router.get("/jobs/{name}")
    async def job(name: str) -> dict[str, Any]:
        """How a job stands: its stage, and what came of it."""
        work = service.work(name)
        if not work.job.future.done():
            return {"done": False, "stage": await run_in_threadpool(work.job.progress)}
        if work.job.future.cancelled():
            return {"done": True, "error": "cancelled"}
        try:
            result = await run_in_threadpool(service.outcome, work)
        except YaffError as error:
            return {"done": True, "error": error.what}
        return {"done": True} | _result_json(work, result)

    @router.delete("/jobs/{name}")
    def cancel(name: str) -> dict[str, bool]:
        """Stop a job."""
        service.work(name).job.cancel()
        return {"cancelled": True}

    @router.get("/statistics")
    def statistics() -> dict[str, Any]:
        """How the review goes."""
        found = review_statistics(service.store)
        return {
            "states": dict(found.states),
            "annotators": {name: vars(person) for name, person in found.annotators.items()},
            "judged_twice": found.judged_twice,
            "agreement": found.agreement,
            "kappa": [{"annotators": list(pair), "kappa": value} for pair, value in found.kappa.items()],
        }

    return router


def _of(service: ReviewService, body: PhysicsBody) -> tuple[Item, GraspState]:
    item = service.store.item(body.number)
    state = service.store.grasp(body.number) if body.grasp is None else GraspState.from_json(body.grasp)
    return item, state


def _result_json(work: Work, result: Any) -> dict[str, Any]:
    if isinstance(result, Verification):
        return {"verification": verification_json(result)}
    return {"grasp": result.as_json()}


def answer_errors(app: FastAPI) -> None:
    """Errors of ours become answers that say what, where and what to do; nothing else of the server shows."""

    async def answer(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, YaffError)
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 400)
        return JSONResponse({"what": error.what, "where": error.where, "remedy": error.remedy}, status_code=status)

    app.add_exception_handler(YaffError, answer)
