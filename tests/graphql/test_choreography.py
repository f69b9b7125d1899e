"""Publishing and subscriptions over GraphQL."""

from __future__ import annotations

SUBSCRIBE = """mutation($name: String!, $patterns: [String!]!) {
  subscribe(name: $name, patterns: $patterns, agent: "backend", action: "deploy")
}"""
PUBLISH = """mutation($subject: String!, $data: JSON, $id: String) {
  publish(subject: $subject, data: $data, id: $id) { event subject correlation repeated }
}"""


async def test_an_event_is_published_once_for_its_id(asker, board) -> None:
    asked = {"subject": "test.events.a", "data": {"x": [1, None]}, "id": "one"}
    first = (await asker.ask(PUBLISH, **asked))["publish"]
    assert (first["subject"], first["repeated"]) == ("test.events.a", False)
    again = (await asker.ask(PUBLISH, **asked))["publish"]
    assert again == {**first, "repeated": True}
    (event,) = await board.log(subject="test.events.>")
    assert event.payload == {"x": [1, None]}
    assert event.row["correlation"] == first["correlation"]


async def test_the_life_of_a_subscription(asker) -> None:
    made = (await asker.ask(SUBSCRIBE, name="deploys", patterns=["a.*"]))["subscribe"]
    assert made["name"] == "deploys"
    await asker.ask('mutation { pauseSubscription(name: "deploys", reason: "the freeze") }')
    (row,) = (await asker.ask("{ subscriptions { name patterns allOf agent action behind pausedBecause } }"))[
        "subscriptions"
    ]
    assert row == {
        "name": "deploys", "patterns": ["a.*"], "allOf": False, "agent": "backend", "action": "deploy",
        "behind": row["behind"], "pausedBecause": "the freeze",
    }  # fmt: skip
    await asker.ask('mutation { resumeSubscription(name: "deploys") }')
    changed = await asker.ask('mutation { changeSubscription(name: "deploys", patterns: ["b.>"], agent: "cto") }')
    assert changed["changeSubscription"]["patterns"] == ["b.>"]
    await asker.ask('mutation { rewindSubscription(name: "deploys", to: "beginning") }')
    await asker.ask('mutation { unsubscribe(name: "deploys") }')
    assert (await asker.ask("{ subscriptions { name } }"))["subscriptions"] == []


async def test_what_is_wrong_has_its_code(asker, asker_of) -> None:
    assert (await asker.refused(PUBLISH, subject="a..b"))["code"] == "bad_subject"
    assert (await asker.refused(PUBLISH, subject="board.task.posted"))["code"] == "denied"
    assert (await asker.refused(SUBSCRIBE, name="x", patterns=["a.>.b"]))["code"] == "bad_subject"
    await asker.ask(SUBSCRIBE, name="x", patterns=["a"])
    assert (await asker.refused(SUBSCRIBE, name="x", patterns=["a"]))["code"] == "duplicate_name"
    cto = await asker_of("cto")
    assert (await cto.refused(SUBSCRIBE, name="y", patterns=["a"]))["code"] == "not_yours"
    assert (await cto.refused(PUBLISH, subject="elsewhere.a"))["code"] == "denied"


async def test_the_life_of_a_schedule(asker) -> None:
    made = (
        await asker.ask(
            """mutation { schedule(name: "nightly", cron: "30 2 * * *", timezone: "Europe/Berlin",
                                   subject: "test.events.night", data: {a: 1}) }"""
        )
    )["schedule"]
    assert made["name"] == "nightly"
    (row,) = (await asker.ask("{ schedules { name cron timezone subject data nextAt } }"))["schedules"]
    assert (row["cron"], row["timezone"], row["data"]) == ("30 2 * * *", "Europe/Berlin", {"a": 1})
    await asker.ask('mutation { unschedule(name: "nightly") }')
    assert (await asker.ask("{ schedules { name } }"))["schedules"] == []


async def test_an_event_and_its_chain_are_shown_and_waited_for(asker, board) -> None:
    await asker.ask(SUBSCRIBE, name="deploys", patterns=["test.events.*"])
    told = (await asker.ask(PUBLISH, subject="test.events.a", data={"x": 1}))["publish"]
    (event,) = await board.log(subject="test.events.>")
    show = "query($position: BigInt!) { showEvent(position: $position) }"
    shown = (await asker.ask(show, position=event.position))["showEvent"]
    assert (shown["subject"], shown["payload"]) == ("test.events.a", {"x": 1})
    assert [(one["name"], one["state"]) for one in shown["handled"]] == [("deploys", "not routed")]
    chain = "query($correlation: String!) { chain(correlation: $correlation) }"
    found = (await asker.ask(chain, correlation=told["correlation"]))["chain"]
    assert ([one["subject"] for one in found["roots"]], found["gatherings"]) == (["test.events.a"], [])
    await board.post_graph({"api": []})
    (claim,) = await board.claim()
    wait = """mutation($item: BigInt!, $fence: BigInt!, $pattern: String) {
      waitFor(item: $item, fence: $fence, pattern: $pattern, timeoutSeconds: 60)
    }"""
    waits = (await asker.ask(wait, item=claim.item, fence=claim.fence, pattern="a.>"))["waitFor"]
    assert (waits["place"], waits["pattern"]) == ("gated", "a.>")
    assert (await asker.refused(wait, item=claim.item, fence=claim.fence))["code"] == "lease_lost"
