-- What this migration added goes; the functions that it replaced are made again afterwards, as they were.
DROP FUNCTION post_duties, end_duties, say_on_thread, find_peer;
DROP TABLE action_items, agenda_items, consults, delegations, meeting_seats, meeting_turns, meetings, messages,
    motions, presence, requests, routes, statements, thread_members, threads, vote_changes, votes;
ALTER TABLE agents DROP COLUMN accepts_from, DROP COLUMN availability, DROP COLUMN removed_at;
