"""What is wanted and what is known: agents, tasks, artifacts, dependencies, decisions. Wide rows, written rarely."""
