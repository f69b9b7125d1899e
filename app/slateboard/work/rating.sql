-- The rating of an item, higher first: its base (or an operator's pin, which stands alone), how much of the time to
-- `due` is used, whether it was just unblocked, and how many items wait for it directly.
-- Pure, so that `explain` can show the same sum; `ready.rank` is its negative. STABLE, since adding an interval to a time
-- is: so the planner takes the sum into the statement instead of calling it for each row.
CREATE OR REPLACE FUNCTION rating_of(
    p_base int, p_pinned int, p_created_at timestamptz, p_due timestamptz, p_unblocked boolean, p_dependents bigint,
    p_now timestamptz
) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(
    p_pinned,
    p_base
    + CASE
        WHEN p_due IS NULL THEN 0
        WHEN p_now >= p_created_at + 0.8 * (p_due - p_created_at) THEN 500
        WHEN p_now >= p_created_at + 0.5 * (p_due - p_created_at) THEN 100
        ELSE 0
      END
    + CASE WHEN p_unblocked THEN 200 ELSE 0 END
    + 50 * least(p_dependents, 10)::int
);
