-- Taking standing away from under open leases and given answers (tasks/revoking.py). One act, in the lock order of
-- claim.sql: the worker and the grants are held when these functions are called; then tasks by id, then assignments.
--
-- Tables of lower floors read here: qualification_qualification

-- End the worker's open leases that needed standing in one of _domains which the worker no longer has; their slots are
-- open again at once. Returns how many. What another grant still meets goes on.
CREATE OR REPLACE FUNCTION take_leases_back(_worker_id bigint, _domains bigint[], _reason text, _at timestamptz)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  due bigint[]; held bigint[]; taken int;
BEGIN
  SELECT array_agg(a.id), array_agg(a.task_id) INTO due, held
  FROM tasks_assignment a JOIN tasks_job j ON j.id = a.job_id
  WHERE a.worker_id = _worker_id AND a.state = 'leased' AND a.lease_ends_at > _at
    AND EXISTS (
      SELECT FROM tasks_requirement r WHERE r.eligibility_id = a.eligibility_id AND r.domain_id = ANY (_domains)
        AND NOT EXISTS (
          SELECT FROM qualification_qualification q
          WHERE q.worker_id = _worker_id AND q.domain_id = r.domain_id AND q.level >= r.level_min
            AND q.revoked_at IS NULL AND (q.expires_at IS NULL OR q.expires_at > _at)
            AND (q.organisation_id IS NULL OR q.organisation_id = j.organisation_id)));
  IF due IS NULL THEN RETURN 0; END IF;
  PERFORM FROM tasks_task t WHERE t.id = ANY (held) ORDER BY t.id FOR UPDATE;
  WITH ended AS (
    UPDATE tasks_assignment a SET state = 'expired', ended_at = _at, reason = left(_reason, 500)
    WHERE a.id = ANY (due) AND a.state = 'leased' RETURNING a.task_id),
  counted AS (SELECT e.task_id, count(*)::int AS n FROM ended e GROUP BY e.task_id),
  freed AS (
    UPDATE tasks_task t SET leased_count = t.leased_count - c.n FROM counted c WHERE t.id = c.task_id RETURNING c.n)
  SELECT coalesce(sum(f.n), 0)::int INTO taken FROM freed f;
  RETURN taken;
END $$;

-- Raise a doubt about each answer that rests on one of these grants of the worker, ended or not; returns how many.
-- A lease names the grant of its first requirement only. Of the others, those count that nothing else met at the claim.
CREATE OR REPLACE FUNCTION flag_answers(
  _worker_id bigint, _grants bigint[], _kind text, _credential_id bigint, _note text, _at timestamptz
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  raised int;
BEGIN
  INSERT INTO tasks_answerflag (assignment_id, job_id, kind, credential_id, note, flagged_at)
  SELECT a.id, a.job_id, _kind, _credential_id, left(_note, 1000), _at
  FROM tasks_job j JOIN tasks_assignment a ON a.worker_id = _worker_id AND a.job_id = j.id
  WHERE a.submitted_at IS NOT NULL
    AND j.id IN (
      SELECT e.job_id FROM tasks_eligibility e JOIN tasks_requirement r ON r.eligibility_id = e.id
      JOIN qualification_qualification q ON q.domain_id = r.domain_id WHERE q.id = ANY (_grants))
    AND (a.grant_id = ANY (_grants) OR EXISTS (
      SELECT FROM tasks_requirement r
      JOIN qualification_qualification q ON q.domain_id = r.domain_id AND q.level >= r.level_min
      WHERE r.eligibility_id = a.eligibility_id AND q.id = ANY (_grants)
        AND q.granted_at <= a.leased_at AND (q.revoked_at IS NULL OR q.revoked_at > a.leased_at)
        AND (q.expires_at IS NULL OR q.expires_at > a.leased_at)
        AND (q.organisation_id IS NULL OR q.organisation_id = j.organisation_id)
        AND NOT EXISTS (
          SELECT FROM qualification_qualification o
          WHERE o.worker_id = _worker_id AND o.domain_id = r.domain_id AND o.level >= r.level_min
            AND o.id <> ALL (_grants) AND o.granted_at <= a.leased_at
            AND (o.revoked_at IS NULL OR o.revoked_at > a.leased_at)
            AND (o.expires_at IS NULL OR o.expires_at > a.leased_at)
            AND (o.organisation_id IS NULL OR o.organisation_id = j.organisation_id))))
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS raised = ROW_COUNT;
  RETURN raised;
END $$;

-- A doubt is raised once and cleared at most once; nothing else of it changes, and it is never removed.
CREATE FUNCTION flag_is_only_cleared() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.cleared_at IS NOT NULL
     OR to_jsonb(NEW) - 'cleared_at' IS DISTINCT FROM to_jsonb(OLD) - 'cleared_at' THEN
    RAISE EXCEPTION 'a doubt about an answer is cleared once and never edited'
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'flag_is_only_cleared';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER flag_is_only_cleared BEFORE UPDATE OR DELETE ON tasks_answerflag
  FOR EACH ROW EXECUTE FUNCTION flag_is_only_cleared();
CREATE TRIGGER flags_are_never_emptied BEFORE TRUNCATE ON tasks_answerflag
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('flags_are_never_emptied');

-- A lease that ran out is everyday; one that was taken away from somebody is on record.
CREATE TRIGGER lease_taken_back_is_audited AFTER UPDATE ON tasks_assignment FOR EACH ROW
  WHEN (OLD.state = 'leased' AND NEW.state = 'expired' AND NEW.reason <> '') EXECUTE FUNCTION audit_change('');
