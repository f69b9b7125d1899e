"""The benchmark: every rate and latency beside the raw Postgres limit that was taken in the same run."""
