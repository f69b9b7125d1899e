"""The parts of the SDK that need no board."""

from __future__ import annotations

import gc

import pytest

from slateboard import LogicFailure, Result, ValidationFailure, Work, Worker
from slateboard.protocol.errors import BadHandler, Invalid
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import MAX_CONTENT_BYTES
from slateboard.sdk import testing
from slateboard.sdk.appetite import MAX_CLAIM, MAX_HELD, Appetite
from slateboard.sdk.backoff import Backoff
from slateboard.sdk.failures import ERROR_CHARACTERS, text_of
from slateboard.sdk.handlers import Handlers
from slateboard.sdk.results import result_of
from slateboard.sdk.worker import COLLECT_EVERY, collect_less, worker_name


def test_waits_grow_to_a_bound_and_begin_anew() -> None:
    backoff = Backoff(first_seconds=0.1, most_seconds=1)
    waits = [backoff.next_seconds() for _ in range(50)]
    assert 0.05 <= waits[0] <= 0.1
    assert all(0.5 <= wait <= 1 for wait in waits[5:])
    assert len(set(waits[5:])) > 1
    backoff.reset()
    assert backoff.next_seconds() <= 0.1


class TestAppetite:
    def test_at_first_it_claims_what_it_can_start(self) -> None:
        assert Appetite(concurrency=4, batch=None).limit(queued=0, running=0, held=0) == 4

    def test_slow_handlers_prefetch_nothing(self) -> None:
        appetite = Appetite(concurrency=4, batch=None)
        appetite.took(10)
        assert appetite.limit(queued=0, running=4, held=4) == 0
        assert appetite.limit(queued=0, running=3, held=3) == 1

    def test_quick_handlers_prefetch_a_tenth_of_a_second(self) -> None:
        appetite = Appetite(concurrency=2, batch=None)
        appetite.took(0.002)
        assert appetite.limit(queued=0, running=0, held=0) == 102
        appetite.took(0.000_001)
        for _ in range(50):
            appetite.took(0.000_001)
        assert appetite.limit(queued=0, running=0, held=0) == MAX_CLAIM
        assert appetite.limit(queued=900, running=0, held=0) == 0

    def test_what_is_held_is_bounded(self) -> None:
        appetite = Appetite(concurrency=1000, batch=1000)
        assert appetite.limit(queued=0, running=0, held=MAX_HELD) == 0

    def test_a_given_batch_is_what_it_claims(self) -> None:
        appetite = Appetite(concurrency=1, batch=7)
        appetite.took(100)
        assert appetite.limit(queued=0, running=1, held=1) == 7

    def test_a_stall_ends_prefetching(self) -> None:
        appetite = Appetite(concurrency=1, batch=None)
        appetite.took(0.001)
        appetite.stalled(2)
        assert appetite.limit(queued=0, running=1, held=1) == 0


class TestHandlers:
    def test_an_exact_name_comes_before_patterns_and_these_before_the_kind(self) -> None:
        handlers = Handlers()
        named = {name: (lambda work, name=name: name) for name in ("kind", "api_*", "api_spec", "a*")}
        handlers.add_kind("produce", named["kind"])
        for pattern in ("api_*", "api_spec", "a*"):
            handlers.add_pattern(pattern, named[pattern])
        for artifact, expected in {"api_spec": "api_spec", "api_x": "api_*", "about": "a*", "x": "kind"}.items():
            assert handlers.find("produce", artifact).function is named[expected]

    def test_nothing_that_fits_is_said_with_what_there_is(self) -> None:
        handlers = Handlers()
        handlers.add_pattern("api_*", print)
        with pytest.raises(LogicFailure, match=r"produce 'x'.*'api_\*'"):
            handlers.find("produce", "x")

    @pytest.mark.parametrize(
        "add",
        [
            lambda worker: worker.artifact("a")(print),
            lambda worker: worker.handler(kind="dance")(print),
            lambda worker: worker.artifact("b")("no function"),
        ],
        ids=["twice", "kind", "value"],
    )
    def test_what_cannot_be_a_handler_is_refused(self, add) -> None:
        worker = Worker("backend")
        worker.artifact("a")(print)
        with pytest.raises(BadHandler):
            add(worker)


class TestResults:
    async def test_what_is_returned_becomes_a_result(self) -> None:
        assert await result_of(None) == Result()
        assert (await result_of("text")).content == "text"
        assert (await result_of({"a": [1]})).content == '{"a": [1]}'
        assert (await result_of([1, 2])).content == "[1, 2]"
        assert (await result_of(Result(uri="s3://x"))).hash is None
        assert (await result_of(Result(content="x", hash="sha256:mine"))).hash == "sha256:mine"

    @pytest.mark.parametrize(
        "wrong", [3, object(), {"a": object()}, "x" * (MAX_CONTENT_BYTES + 1), Result(path="."), Result(path="nowhere")]
    )
    async def test_what_cannot_be_a_result_is_a_validation_failure(self, wrong: object) -> None:
        with pytest.raises(ValidationFailure):
            await result_of(wrong)

    async def test_a_large_file_is_hashed_too(self, tmp_path) -> None:
        (tmp_path / "large").write_bytes(b"x" * 3_000_000)
        assert (await result_of(Result(path=str(tmp_path / "large")))).size_bytes == 3_000_000


def test_the_text_of_an_error_is_bounded_and_can_be_stored() -> None:
    assert len(text_of(ValueError("x" * 100_000))) == ERROR_CHARACTERS
    assert "\0" not in text_of(LogicFailure("a\0b"))


@pytest.mark.parametrize(("before", "meanwhile"), [(700, COLLECT_EVERY), (0, 0), (50_000, 50_000)])
def test_garbage_is_searched_for_less_often_while_a_worker_runs(before: int, meanwhile: int) -> None:
    found = gc.get_threshold()
    try:
        gc.set_threshold(before)
        undo = collect_less()
        assert gc.get_threshold()[0] == meanwhile
        undo()
        assert gc.get_threshold()[0] == before
    finally:
        gc.set_threshold(*found)


def test_every_start_has_a_name_of_its_own() -> None:
    assert worker_name("backend") != worker_name("backend")
    assert worker_name("backend").startswith("backend/")


class TestTrials:
    @pytest.fixture
    def worker(self) -> Worker:
        worker = Worker("backend")

        @worker.artifact("docs_*")
        async def docs(work: Work) -> Result:
            briefing = await work.briefing()
            await work.progress(50, "half")
            await work.checkpoint({"half": True})
            if briefing.decisions and briefing.decisions[0].text == "stop":
                raise LogicFailure("decided against")
            if work.artifact == "docs_blocked":
                await work.block_on(await work.post("spec", owner="cto"), note="no spec")
            return Result(content=briefing.input("spec").content, summary=f"attempt {work.attempt}")

        @worker.artifact("plain")
        def plain(work: Work) -> None:
            work.sync.note("left")
            work.sync.decide("Use plain functions")
            work.sync.release(delay_seconds=5)

        return worker

    async def test_a_result(self, worker: Worker) -> None:
        spec = testing.Input(reference="api/spec", content="openapi")
        trial = await testing.run(worker, artifact="docs_api", inputs=[spec], attempt=3)
        assert trial.outcome == Outcome.COMPLETED
        assert trial.result
        assert (trial.result.content, trial.result.summary) == ("openapi", "attempt 3")
        assert trial.result.hash
        assert trial.progress == [(50, "half")]
        assert trial.checkpoints == [{"half": True}]

    async def test_a_failure(self, worker: Worker) -> None:
        decision = testing.Decision(subject="s", text="stop")
        trial = await testing.run(worker, artifact="docs_api", decisions=[decision])
        assert (trial.outcome, trial.failure_class) == (Outcome.FAILED, FailureClass.LOGIC)
        assert trial.error == "decided against"

    @pytest.mark.parametrize("before", [[], ["spec"]])
    async def test_posting_and_blocking(self, worker: Worker, before: list[str]) -> None:
        trial = await testing.run(worker, artifact="docs_blocked", posted_before=before)
        assert trial.outcome == Outcome.BLOCKED
        assert trial.blocked_on == ["task/spec"]
        assert trial.note == "no spec"
        assert [one.name for one in trial.posted] == ([] if before else ["spec"])

    async def test_a_plain_function(self, worker: Worker) -> None:
        trial = await testing.run(worker, artifact="plain")
        assert (trial.outcome, trial.note, trial.delay_seconds) == (Outcome.RELEASED, "left", 5)
        assert trial.decisions == [{"decision": "Use plain functions"}]

    async def test_what_a_made_up_board_cannot_do_is_refused(self, worker: Worker) -> None:
        @worker.artifact("odd")
        async def odd(work: Work) -> None:
            with pytest.raises(Invalid, match="made-up board"):
                await work._desk.call("cancel")

        assert (await testing.run(worker, artifact="odd")).outcome == Outcome.COMPLETED


class TestDeliveries:
    EVENT = testing.Event(position=7, subject="pr.merged", payload={"sha": "beef"})

    @pytest.fixture
    def worker(self) -> Worker:
        worker = Worker("devops")

        @worker.action("trigger_*")
        async def trigger(work: Work) -> None:
            event = await work.event()
            await work.publish("deployment.completed", {"sha": event.payload["sha"]}, id=f"deployed-{event.position}")
            with pytest.raises(Invalid, match="no task"):
                await work.post("notes")

        @worker.action("run_smoke_tests")
        def smoke(work: Work) -> None:
            work.sync.publish("tests.started", {"of": work.sync.event().subject})
            work.sync.wait_for("tests.>", timeout_seconds=60, note="running")

        @worker.artifact("api")
        async def api(work: Work) -> None:
            await work.event()

        return worker

    async def test_the_handler_of_an_action_gets_the_event(self, worker: Worker) -> None:
        trial = await testing.run(worker, task="events-1", artifact="trigger_deployment", event=self.EVENT)
        assert trial.outcome == Outcome.COMPLETED
        assert trial.published == [
            {"subject": "deployment.completed", "data": {"sha": "beef"}, "id": "deployed-7"},
        ]

    async def test_waiting_gives_the_claim_back(self, worker: Worker) -> None:
        trial = await testing.run(worker, task="events-1", artifact="run_smoke_tests", event=self.EVENT)
        assert (trial.outcome, trial.note) == (Outcome.BLOCKED, "running")
        assert trial.waited_for
        assert (trial.waited_for["pattern"], trial.waited_for["timeout_seconds"]) == ("tests.>", 60)
        assert trial.published[0]["data"] == {"of": "pr.merged"}
        assert trial.published[0]["id"]

    async def test_an_action_without_a_handler_is_named(self, worker: Worker) -> None:
        trial = await testing.run(worker, artifact="celebrate", event=self.EVENT)
        assert trial.failure_class == FailureClass.LOGIC
        assert "action 'trigger_*'" in (trial.error or "")

    async def test_other_work_has_no_event(self, worker: Worker) -> None:
        trial = await testing.run(worker, artifact="api")
        assert "is no delivery" in (trial.error or "")
