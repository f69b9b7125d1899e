-- What the database itself refuses, which triggers there are, where an item is, and the rights of the application's role.

-- Its successor takes what an item must keep to.
DROP FUNCTION enter_items(
    bigint, text, text, text, timestamptz, bigint[], bigint[], text[], text[], text[], bigint[], text[], text[], text[],
    bigint[], int[], timestamptz[], timestamptz[], smallint[], boolean[], bigint[], bigint[], bigint[], bigint, smallint,
    text, text[], text[], text[]);

CREATE OR REPLACE VIEW item_places AS
SELECT w.board, w.id AS item,
       CASE WHEN w.outcome IS NOT NULL THEN w.outcome
            WHEN EXISTS (SELECT FROM leases l WHERE l.board = w.board AND l.item = w.id) THEN 'claimed'
            WHEN EXISTS (SELECT FROM ready r WHERE r.board = w.board AND r.item = w.id) THEN 'ready'
            WHEN EXISTS (SELECT FROM scheduled s WHERE s.board = w.board AND s.item = w.id) THEN 'scheduled'
            WHEN EXISTS (SELECT FROM gates g WHERE g.board = w.board AND g.item = w.id)
            THEN CASE WHEN EXISTS (SELECT FROM waiting n WHERE n.board = w.board AND n.item = w.id) THEN 'waiting'
                      ELSE 'gated' END
            ELSE 'nowhere'
       END AS place
FROM work_items w;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON usage_ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage AFTER INSERT ON attempts FOR EACH ROW WHEN (NEW.usage IS NOT NULL) EXECUTE FUNCTION book_usage();
CREATE TRIGGER due AFTER INSERT ON work_items FOR EACH ROW WHEN (NEW.due IS NOT NULL AND NEW.outcome IS NULL)
    EXECUTE FUNCTION mark_due();

-- What was there before: when unfinished items are due, and what attempts have used. The triggers above hold what would
-- write more of either until this migration is committed, so nothing is missed and nothing is counted twice. Each reads
-- its table once.
INSERT INTO due_marks (board, item, mark, at)
SELECT w.board, w.id, m.mark, w.created_at + m.share * (w.due - w.created_at)
FROM work_items w, (VALUES ('due_soon', 0.75), ('overdue', 1.0)) AS m (mark, share)
WHERE w.due IS NOT NULL AND w.outcome IS NULL AND (m.share = 1 OR w.due > w.created_at);

INSERT INTO usage_ledger (board, fence, number, item, agent, task, input_tokens, cached_tokens, output_tokens, cost,
                          model, reported_at)
SELECT t.board, t.fence, 0, t.item, t.agent, a.task, usage_number(t.usage, 'input_tokens'),
       usage_number(t.usage, 'cached_tokens'), usage_number(t.usage, 'output_tokens'), usage_number(t.usage, 'cost'),
       CASE WHEN jsonb_typeof(t.usage -> 'model') = 'string' THEN t.usage ->> 'model' END, t.ended_at
FROM attempts t
LEFT JOIN work_items w ON w.board = t.board AND w.id = t.item
LEFT JOIN artifacts a ON a.board = w.board AND a.id = w.artifact
WHERE t.usage IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON breaker_settings, budgets, circuit_breakers, compensation_cursors,
    compensation_rules, compensations, due_marks, escalations, failure_runs, holds, limit_slots, limits, touched,
    verifications, waiting TO slateboard_app;
GRANT SELECT, INSERT ON usage_ledger TO slateboard_app;

-- Code that posts by the function which is gone cannot work with this any more.
UPDATE schema_protocol SET version = 2, oldest_client = 2;
