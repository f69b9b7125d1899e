"""Who is busy with what: one queue of narrow rows that churn. Every duty of every agent goes through it."""
