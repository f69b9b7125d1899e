"""What happened: one event for each change, sealed in order; feeds, audit and reports are readers of it."""
