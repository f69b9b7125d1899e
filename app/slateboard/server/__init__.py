"""The server: what `slate up` runs, and the chores that one of all servers does for everybody."""
