"""Meetings: several agents come to a decision, in turns, by a vote, within a time limit.

**The states.** `scheduled` until `starts_at`; then everybody invited is asked to join (`waiting`). It opens when all
have come, 5 s after the quorum is there, or at the end of 60 s with a quorum. Without one it is moved once, by five
minutes; the second time somebody is asked (`escalated`): try again, or cancel. Once `open` it ends in any case: when
its agenda is done, when the chair adjourns it, or at `ends_at`. What is undecided then is `deferred`.

**Seats.** Who must come has a seat, there or not; who may come has one if there at the opening. From then on seats are
fixed, and the denominator of every vote. What changes is who is *present*. A seat that lets a turn or a vote pass its
time is absent: it is not waited for again until it comes back, by joining (it keeps an invitation in its inbox) or by
any act of its own. So one dead participant costs one time limit, once. The chair is always somebody present: the
scheduler, else the first; where the chair falls silent the next seat that is there takes over.

**An item of the agenda** is `discussing`, then `voting`, then `closed`, and only one is open at a time:

    round of turns ──▶ another round, at most 3: somebody spoke, and there is no motion, or a concern stands
        │
        ├─ a motion stands ─────────────▶ voting ──▶ all votes in ──▶ closed: approved, rejected, vetoed
        └─ none ─▶ the chair is asked ──▶ (it proposes one) ▲  │
                       └─ it has none ─▶ closed: deferred   │  └─ an approval that a concern holds: the chair is asked
                                                            │        └─ it leaves it ─▶ closed: deferred

`rules.next_step` decides this from what is there and nothing else; `progress.advance` does it, and asks again until
something must be waited for. Each round has at most one turn a seat, each item at most three rounds, each asking of the
chair either ends or uses up a chair: so it always comes to an end, also if nobody ever answers.

**Duties.** Whatever is asked of a seat (join, turn, motion, concerns, vote) is a work item in its inbox, hooked, and a
row of `meeting_turns` under its id. Turn n+1 of a round is gated by turn n; votes are open side by side. A worker that
dies gives its turn back by its lease, and another worker of the agent goes on. `timing.time_out`, a chore of the
leader, ends what is past its time as `absent`, by the database's clock. The fence decides over a turn's time as over a
lease's: an act that comes late, but before the turn was taken back, counts. Over the meeting's limit the clock decides:
nothing is said, moved or voted after `ends_at`.

**One at a time.** Every change of a meeting first holds its row, then leases, items and gates in the order of all. So
the last vote and the deadline, two votes of one seat, or two that end a round, come one after the other, and whatever
they cause is in the commit of the one that comes last: the decision and the tasks of an approved motion are there with
the vote that carried it. What the meeting does by itself in that commit is done by the actor `meeting:<id>`.

**Votes** can be changed until the item closes, each change is kept. Approvals are counted over all seats: abstentions
and absentees count as seats that did not approve. A motion that fails with fewer votes than the quorum is deferred, not
rejected: nobody said no to it.
"""
