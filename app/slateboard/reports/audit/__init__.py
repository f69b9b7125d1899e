"""The audit trail: from the log, read once, to a report, and from that to each of its forms."""
