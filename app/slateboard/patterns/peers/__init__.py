"""Peers: who may ask whom for what, who tells whom when, and the threads on which it is said.

**Routes** are what a RoutingTable or an AgentConfig declares: `consult` (for what), `notify` (when), `channel` (an open
line). A consult needs one from the asker to the one asked; without it the request is refused, and the refusal stands in
the log. A thread needs none: who is on it may go on talking.

**A consult** is an escalation of a kind of its own: a duty in the other's inbox, with a deadline, answered once. So
claims, deaths, levels and the briefing's answers hold for it without a second mechanism; `consults` only adds who
asked, on which thread. Under a claim it gates the asker's item as any question does, else the answer is a message.

**An open request** goes to nobody: for one answer it is one duty in the inbox of all who have the capability, for the
first N answers one in the inbox of each of them. `requests` is held first of all by whoever answers or ends it, so that
exactly N answers count, and the answer and the deadline come one after the other.

**Messages** are what is said on a thread, and never change. What a member has read is a number on its membership, so
that unread ones are counted when somebody asks. Whoever is not the author hears of a message by an event on its inbox.
"""
