"""The part of a briefing that is about a meeting: what is asked, about which item of its agenda, and what was said."""

from __future__ import annotations

from slateboard.protocol.meetings import MAX_PARTICIPANTS

MOST_STATEMENTS = 100
"""The last of an item of the agenda; concerns all."""

# Of the item `i` of `work.briefing.BRIEFING`; null where no meeting asks anything by it.
MEETING = f"""
(SELECT json_build_object(
    'meeting', m.id, 'title', m.title, 'step', t.kind, 'seat', (SELECT g.name FROM agents g
        WHERE g.board = $1 AND g.id = t.agent),
    'deadline', t.deadline, 'ends_at', m.ends_at, 'decision_model', m.decision_model,
    'decision_required', m.decision_required, 'quorum', m.quorum,
    'chair', (SELECT g.name FROM agents g WHERE g.board = $1 AND g.id = m.chair),
    'choices', (SELECT CASE WHEN s.may_veto THEN json_build_array('approve', 'reject', 'abstain', 'veto')
                            ELSE json_build_array('approve', 'reject', 'abstain') END
                FROM meeting_seats s WHERE s.board = $1 AND s.meeting = m.id AND s.agent = t.agent),
    'seats', (SELECT coalesce(json_agg(g.name ORDER BY s.position), '[]')
              FROM (SELECT * FROM meeting_seats s
                    WHERE s.board = $1 AND s.meeting = m.id AND (s.seated OR t.number IS NULL)
                    LIMIT {MAX_PARTICIPANTS}) AS s JOIN agents g ON g.board = $1 AND g.id = s.agent),
    'agenda', (SELECT json_agg(json_build_object('number', n.number, 'title', n.title, 'outcome', n.outcome)
                               ORDER BY n.number) FROM agenda_items n WHERE n.board = $1 AND n.meeting = m.id),
    'number', n.number, 'item', n.title, 'round', t.round,
    'motion', (SELECT json_build_object(
                   'text', o.text, 'rationale', o.rationale,
                   'proposed_by', (SELECT g.name FROM agents g WHERE g.board = $1 AND g.id = o.agent),
                   'actions', (SELECT coalesce(json_agg(json_build_object('title', a.title, 'owner', g.name)
                                                        ORDER BY a.position), '[]')
                               FROM action_items a JOIN agents g ON g.board = $1 AND g.id = a.owner
                               WHERE a.board = $1 AND a.motion = o.id))
               FROM motions o WHERE o.board = $1 AND o.id = n.motion),
    'statements', (SELECT coalesce(json_agg(json_build_object('agent', g.name, 'round', s.round, 'text', s.text)
                                            ORDER BY s.id), '[]')
                   FROM (SELECT * FROM statements s WHERE s.board = $1 AND s.meeting = m.id AND s.number = n.number
                           AND s.kind = 'said' ORDER BY s.id DESC LIMIT {MOST_STATEMENTS}) AS s
                   JOIN agents g ON g.board = $1 AND g.id = s.agent),
    'concerns', (SELECT coalesce(json_agg(json_build_object(
                            'concern', s.id, 'agent', g.name, 'text', s.text, 'settled', s.settled,
                            'settled_by', s.settled_by, 'settled_because', s.settled_because) ORDER BY s.id), '[]')
                 FROM statements s JOIN agents g ON g.board = $1 AND g.id = s.agent
                 WHERE s.board = $1 AND s.meeting = m.id AND s.number = n.number AND s.kind = 'concern'))
 FROM meeting_turns t
 JOIN meetings m ON m.board = t.board AND m.id = t.meeting
 LEFT JOIN agenda_items n ON n.board = t.board AND n.meeting = t.meeting AND n.number = t.number
 WHERE t.board = $1 AND t.item = i.id)
"""
