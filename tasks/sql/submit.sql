-- Submitting: two round trips in one transaction. submit_open locks and tells; Python judges the label and moves the
-- posterior by the same pure functions that the replays use; submit_write writes. Gold and plain tasks alike.
--
-- Tables of lower floors read here: qualification_skillfit, qualification_scopefit (and, through claimant, those of claim.sql).

DROP FUNCTION IF EXISTS submit_open(bigint, bigint, bigint[], timestamptz);

-- Lock the tasks of these assignments, in id order, and tell what is known of each. Assignments of other workers are
-- left out, as if they did not exist.
CREATE OR REPLACE FUNCTION submit_open(_worker_id bigint, _key_id bigint, _ids bigint[], _now timestamptz)
RETURNS TABLE (refusal text, at timestamptz, assignment_id bigint, state text, lease_ended boolean, reason text, task_id bigint,
               job_id bigint, schema_id bigint, engine text, review_seconds int, evidence real[], answers int,
               confusion float8[], prior float8[], said jsonb)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz := coalesce(_now, clock_timestamp()); no text;
BEGIN
  SELECT c.refusal INTO no FROM claimant(_worker_id, _key_id, moment) c;
  -- A paused or suspended worker may still hand in what they hold: the work is done.
  IF no IN ('no_such_worker', 'key_revoked') THEN refusal := no; RETURN NEXT; RETURN; END IF;
  PERFORM FROM tasks_task t WHERE t.id IN (
    SELECT a.task_id FROM tasks_assignment a WHERE a.id = ANY (_ids) AND a.worker_id = _worker_id)
    ORDER BY t.id FOR UPDATE;
  RETURN QUERY
    SELECT NULL, moment, a.id, a.state::text, a.lease_ends_at <= moment, a.reason::text, a.task_id, a.job_id, a.schema_id, p.engine::text,
           j.review_window_seconds, c.evidence, coalesce(c.answers, 0)::int, f.confusion, s.prior,
           (SELECT n.label FROM tasks_answer n WHERE n.assignment_id = a.id AND a.state <> 'leased')
    FROM tasks_assignment a
    JOIN tasks_job j ON j.id = a.job_id
    JOIN tasks_qualityplan p ON p.id = j.plan_id
    LEFT JOIN tasks_consensus c ON c.task_id = a.task_id
    LEFT JOIN qualification_scopefit s ON s.scope = 'job:' || a.job_id
    LEFT JOIN qualification_skillfit f ON f.scope = 'job:' || a.job_id AND f.worker_id = a.worker_id
    WHERE a.id = ANY (_ids) AND a.worker_id = _worker_id;
END $$;

-- Write the answers that stood up: each assignment still leased, each lease still running at _at, else nothing at all.
-- Arrays run in step; evidence and posterior are array literals, or null for kinds without classes.
CREATE OR REPLACE FUNCTION submit_write(
  _worker_id bigint, _at timestamptz, _ids bigint[], _labels jsonb[], _classes smallint[], _seconds float8[],
  _reviews int[], _engines text[], _evidence text[], _posterior text[]
) RETURNS int LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
DECLARE
  moved int;
BEGIN
  UPDATE tasks_assignment a
  SET state = 'submitted', submitted_at = _at, review_ends_at = _at + make_interval(secs => x.review)
  FROM unnest(_ids, _reviews) AS x (id, review)
  WHERE a.id = x.id AND a.worker_id = _worker_id AND a.state = 'leased' AND a.lease_ends_at > _at;
  GET DIAGNOSTICS moved = ROW_COUNT;
  IF moved <> cardinality(_ids) THEN RETURN -1; END IF;
  INSERT INTO tasks_answer (assignment_id, job_id, task_id, worker_id, round, label, class_index, schema_id,
                            guidelines_id, seconds, submitted_at)
  SELECT a.id, a.job_id, a.task_id, a.worker_id, a.round, x.label, x.class, a.schema_id, a.guidelines_id, x.seconds, _at
  FROM unnest(_ids, _labels, _classes, _seconds) AS x (id, label, class, seconds)
  JOIN tasks_assignment a ON a.id = x.id;
  UPDATE tasks_task t
  SET leased_count = t.leased_count - 1, answer_count = t.answer_count + 1,
      state = CASE WHEN t.state = 'open' AND t.gold_item_id IS NULL AND t.answer_count + 1 >= t.slots_needed
                   THEN 'waiting' ELSE t.state END
  FROM tasks_assignment a WHERE a.id = ANY (_ids) AND t.id = a.task_id;
  INSERT INTO tasks_consensus AS c (task_id, job_id, state, engine, evidence, posterior, class_index, confidence,
                                    calibrated, answers, updated_at)
  SELECT a.task_id, a.job_id, 'running', x.engine, x.evidence::real[], x.posterior::real[], NULL,
         (SELECT max(p) FROM unnest(x.posterior::real[]) p), false, 1, _at
  FROM unnest(_ids, _engines, _evidence, _posterior) AS x (id, engine, evidence, posterior)
  JOIN tasks_assignment a ON a.id = x.id
  ORDER BY a.task_id  -- a refit writes consensus rows without locking tasks: all writers take them in one order
  ON CONFLICT (task_id) DO UPDATE
    SET evidence = EXCLUDED.evidence, posterior = EXCLUDED.posterior, confidence = EXCLUDED.confidence,
        engine = EXCLUDED.engine, answers = c.answers + 1, updated_at = EXCLUDED.updated_at;
  RETURN moved;
END $$;

-- Give back leases that the worker will not answer; returns how many were theirs and still running.
CREATE OR REPLACE FUNCTION return_leases(
  _worker_id bigint, _key_id bigint, _ids bigint[], _now timestamptz, OUT refusal text, OUT returned int
) LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := coalesce(_now, clock_timestamp());
BEGIN
  SELECT c.refusal INTO refusal FROM claimant(_worker_id, _key_id, moment) c;
  IF refusal IN ('no_such_worker', 'key_revoked') THEN RETURN; END IF;
  refusal := NULL;
  PERFORM FROM tasks_task t WHERE t.id IN (
    SELECT a.task_id FROM tasks_assignment a WHERE a.id = ANY (_ids) AND a.worker_id = _worker_id)
    ORDER BY t.id FOR UPDATE;
  WITH ended AS (
    UPDATE tasks_assignment a SET state = 'returned', ended_at = moment
    WHERE a.id = ANY (_ids) AND a.worker_id = _worker_id AND a.state = 'leased' AND a.lease_ends_at > moment
    RETURNING a.task_id)
  UPDATE tasks_task t SET leased_count = t.leased_count - 1 FROM ended e WHERE t.id = e.task_id;
  GET DIAGNOSTICS returned = ROW_COUNT;
END $$;
