-- The rights of the application's role on the new tables.

GRANT SELECT, INSERT, UPDATE, DELETE ON action_items, agenda_items, consults, delegations, meeting_seats,
    meeting_turns, meetings, messages, motions, presence, requests, routes, statements, thread_members, threads,
    vote_changes, votes TO slateboard_app;
