-- Claiming: one round trip decides who gets what (DESIGN section 8). Replaced in place by each migration that names it.
--
-- Tables of lower floors read here, and nowhere else in SQL of this floor:
--   accounts_worker, accounts_user, accounts_apikey, accounts_membership, accounts_block, accounts_terms, accounts_consent,
--   qualification_qualification
--
-- The outermost functions fix the shape of the plans below them (index walks and nested loops, planned once a session):
-- a plan chosen while a table was still small would otherwise be kept, and scan it when it is large. "OFFSET 0" keeps
-- the look for a person's own answer a probe of one index entry for each task walked past; as a join the planner would
-- read all the answers that the person ever gave.
--
-- Lock order: worker (advisory) -> grant (FOR SHARE) -> task by id -> assignment. The job is never locked here.

-- Give back the slots of leases that ran out, at most _limit of them; returns how many.
CREATE OR REPLACE FUNCTION expire_leases(_limit int, _at timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  due bigint[]; held bigint[]; gone int;
BEGIN
  SELECT array_agg(d.task_id) INTO due FROM (
    SELECT a.task_id FROM tasks_assignment a WHERE a.state = 'leased' AND a.lease_ends_at <= _at
    ORDER BY a.lease_ends_at LIMIT _limit) d;
  IF due IS NULL THEN RETURN 0; END IF;
  -- A task somebody else is working on right now is left to them, or to the next claim.
  SELECT array_agg(l.id) INTO held FROM (
    SELECT t.id FROM tasks_task t WHERE t.id = ANY (due) ORDER BY t.id FOR UPDATE SKIP LOCKED) l;
  WITH ended AS (
    UPDATE tasks_assignment a SET state = 'expired', ended_at = _at
    WHERE a.task_id = ANY (held) AND a.state = 'leased' AND a.lease_ends_at <= _at RETURNING a.task_id),
  counted AS (SELECT e.task_id, count(*)::int AS n FROM ended e GROUP BY e.task_id)
  UPDATE tasks_task t SET leased_count = t.leased_count - c.n FROM counted c WHERE t.id = c.task_id;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;

-- What keeps this worker from any work (_organisation null), or from work for one organisation (null: nothing does):
-- a block of their person, or a text in force that they have not agreed to. A model agrees to nothing.
-- One statement of index probes, since it is asked twice in each claim.
CREATE OR REPLACE FUNCTION claim_bar(_worker accounts_worker, _organisation bigint, _at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  IF _organisation IS NULL THEN
    RETURN CASE
      WHEN EXISTS (SELECT FROM accounts_block b WHERE b.person_id = _worker.person_id AND b.organisation_id IS NULL
                   AND b.lifted_at IS NULL AND b.starts_at <= _at AND (b.ends_at IS NULL OR b.ends_at > _at)) THEN 'blocked'
      WHEN _worker.kind = 'human' AND EXISTS (
        SELECT FROM accounts_terms t WHERE t.organisation_id IS NULL AND t.current AND NOT EXISTS (
          SELECT FROM accounts_consent c WHERE c.worker_id = _worker.id AND c.terms_id = t.id OFFSET 0)) THEN 'consent_missing'
      END;
  END IF;
  RETURN CASE
    WHEN EXISTS (SELECT FROM accounts_block b WHERE b.person_id = _worker.person_id AND b.organisation_id = _organisation
                 AND b.lifted_at IS NULL AND b.starts_at <= _at AND (b.ends_at IS NULL OR b.ends_at > _at)) THEN 'blocked'
    WHEN _worker.kind = 'human' AND EXISTS (
      SELECT FROM accounts_terms t WHERE t.organisation_id = _organisation AND t.current AND NOT EXISTS (
        SELECT FROM accounts_consent c WHERE c.worker_id = _worker.id AND c.terms_id = t.id OFFSET 0)) THEN 'consent_missing'
    END;
END $$;

-- Which gate says no to this worker for this job (null: none), the grant it was decided on (locked FOR SHARE, so that
-- a revocation either comes before the lease or waits for it), and how many more answers the worker may give.
CREATE OR REPLACE FUNCTION claim_gate(
  _worker accounts_worker, _job tasks_job, _at timestamptz, OUT refusal text, OUT grant_id bigint, OUT answers_left int
) LANGUAGE plpgsql AS $$
DECLARE
  rules tasks_eligibility; needs record; held bigint;
BEGIN
  IF _job.state NOT IN ('live', 'piloting') THEN refusal := 'job_not_live'; RETURN; END IF;
  SELECT * INTO rules FROM tasks_eligibility e WHERE e.id = _job.eligibility_id;
  IF _worker.kind = 'model' AND NOT rules.models_allowed THEN refusal := 'model_not_allowed'; RETURN; END IF;
  IF EXISTS (SELECT FROM accounts_membership m
             WHERE m.organisation_id = _job.organisation_id AND m.user_id = _worker.user_id) THEN
    refusal := 'conflict_of_interest'; RETURN;
  END IF;
  refusal := claim_bar(_worker, _job.organisation_id, _at);
  IF refusal IS NOT NULL THEN RETURN; END IF;
  FOR needs IN SELECT r.domain_id, r.level_min FROM tasks_requirement r WHERE r.eligibility_id = rules.id ORDER BY r.id LOOP
    SELECT q.id INTO held FROM qualification_qualification q
    WHERE q.worker_id = _worker.id AND q.domain_id = needs.domain_id AND q.level >= needs.level_min
      -- A grant that came while this claim was waiting is for the next one.
      AND q.granted_at <= _at AND q.revoked_at IS NULL AND (q.expires_at IS NULL OR q.expires_at > _at)
      AND (q.organisation_id IS NULL OR q.organisation_id = _job.organisation_id)
    ORDER BY q.level DESC, q.id LIMIT 1 FOR SHARE;
    IF NOT FOUND THEN refusal := 'not_qualified'; RETURN; END IF;
    grant_id := coalesce(grant_id, held);
  END LOOP;
  IF rules.answers_per_worker_max IS NOT NULL THEN
    SELECT rules.answers_per_worker_max - count(*) INTO answers_left FROM (
      SELECT FROM tasks_assignment a WHERE a.worker_id = _worker.id AND a.job_id = _job.id
        AND a.state NOT IN ('returned', 'expired') LIMIT rules.answers_per_worker_max) taken;
    IF answers_left <= 0 THEN refusal := 'cap_reached'; END IF;
  END IF;
END $$;

-- The same for all organisations at once: those whose work is closed to this worker.
CREATE OR REPLACE FUNCTION claim_barred(_worker accounts_worker, _at timestamptz) RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT b.organisation_id FROM accounts_block b WHERE b.person_id = _worker.person_id AND b.organisation_id IS NOT NULL
      AND b.lifted_at IS NULL AND b.starts_at <= _at AND (b.ends_at IS NULL OR b.ends_at > _at)
    UNION ALL
    SELECT t.organisation_id FROM accounts_terms t
    WHERE _worker.kind = 'human' AND t.organisation_id IS NOT NULL AND t.current AND NOT EXISTS (
      SELECT FROM accounts_consent c WHERE c.worker_id = _worker.id AND c.terms_id = t.id OFFSET 0));
END $$;

-- Write down which buckets the worker may serve, in which order. The gates that change seldom are applied here so that
-- the walk is short; claim_gate applies all of them again. Score: tasks/routing/scoring.py, compared by a test.
CREATE OR REPLACE FUNCTION route_worker(_worker accounts_worker, _epoch bigint, _at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  may bigint[]; barred bigint[] := claim_barred(_worker, _at);
BEGIN
  WITH standing AS (
    SELECT q.domain_id, q.level, q.organisation_id FROM qualification_qualification q
    WHERE q.worker_id = _worker.id AND q.revoked_at IS NULL AND (q.expires_at IS NULL OR q.expires_at > _at)),
  open AS (
    SELECT b.id, 1000 * b.priority + CASE WHEN b.waiting_for = 'expert' THEN 100 ELSE 0 END
        + 10 * coalesce((SELECT max(s.level) FROM standing s WHERE s.domain_id = b.domain_id
                         AND (s.organisation_id IS NULL OR s.organisation_id = j.organisation_id)), 0)
        + CASE WHEN EXISTS (SELECT FROM tasks_requirement r WHERE r.eligibility_id = e.id) THEN 1 ELSE 0 END AS score
    FROM tasks_job j JOIN tasks_eligibility e ON e.id = j.eligibility_id JOIN tasks_bucket b ON b.job_id = j.id AND NOT b.gold
    WHERE j.state IN ('live', 'piloting') AND (_worker.kind = 'human' OR e.models_allowed)
      AND NOT EXISTS (SELECT FROM accounts_membership m
                      WHERE m.organisation_id = j.organisation_id AND m.user_id = _worker.user_id)
      AND j.organisation_id <> ALL (barred)
      AND NOT EXISTS (SELECT FROM tasks_requirement r WHERE r.eligibility_id = e.id AND NOT EXISTS (
            SELECT FROM standing s WHERE s.domain_id = r.domain_id AND s.level >= r.level_min
              AND (s.organisation_id IS NULL OR s.organisation_id = j.organisation_id)))),
  kept AS (
    INSERT INTO tasks_workerbucket AS w (worker_id, bucket_id, score, cursor)
    SELECT _worker.id, o.id, o.score, (hashint8extended(_worker.id, o.id) & 2147483647)::int FROM open o
    ON CONFLICT (worker_id, bucket_id) DO UPDATE SET score = EXCLUDED.score, dry_until = NULL
    RETURNING w.bucket_id)
  SELECT coalesce(array_agg(k.bucket_id), '{}') INTO may FROM kept k;
  DELETE FROM tasks_workerbucket w WHERE w.worker_id = _worker.id AND w.bucket_id <> ALL (may);
  INSERT INTO tasks_workerroute AS r (worker_id, epoch, standing_epoch, stale_at)
  VALUES (_worker.id, _epoch, _worker.standing_epoch, least(_at + interval '1 minute', (
    SELECT min(q.expires_at) FROM qualification_qualification q
    WHERE q.worker_id = _worker.id AND q.revoked_at IS NULL AND q.expires_at > _at), (
    SELECT min(b.ends_at) FROM accounts_block b
    WHERE b.person_id = _worker.person_id AND b.lifted_at IS NULL AND b.ends_at > _at)))
  ON CONFLICT (worker_id) DO UPDATE
    SET epoch = EXCLUDED.epoch, standing_epoch = EXCLUDED.standing_epoch, stale_at = EXCLUDED.stale_at;
END $$;

DROP FUNCTION IF EXISTS claim_walk(bigint, bigint, bigint, int, int, int, timestamptz);
DROP FUNCTION IF EXISTS claim_wait(bigint, bigint, bigint, bigint[], timestamptz);

-- Take up to _want open tasks of a bucket whose queue key lies in (_low, _high], in key order, without waiting.
CREATE OR REPLACE FUNCTION claim_walk(
  _bucket bigint, _job bigint, _persons bigint[], _low int, _high int, _want int, _at timestamptz,
  OUT ids bigint[], OUT last_key int
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT array_agg(w.id), max(w.queue_key) INTO ids, last_key FROM (
    SELECT t.id, t.queue_key FROM tasks_task t
    WHERE t.bucket_id = _bucket AND t.is_open AND t.queue_key > _low AND t.queue_key <= _high
      AND (t.expires_at IS NULL OR t.expires_at > _at)
      AND NOT EXISTS (SELECT FROM tasks_assignment a WHERE a.job_id = _job AND a.task_id = t.id AND a.round = t.round
                      AND a.person_id = ANY (_persons) AND a.state NOT IN ('returned', 'expired') OFFSET 0)
    ORDER BY t.queue_key LIMIT _want FOR UPDATE OF t SKIP LOCKED) w;
END $$;

-- The same for one task, waiting for whoever holds it: a bucket whose last open tasks are all being taken right now is
-- waited for and not refused. Tries again while candidates are left, since a row can fill up while we wait for it.
CREATE OR REPLACE FUNCTION claim_wait(_bucket bigint, _job bigint, _persons bigint[], _only bigint[], _at timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  candidate bigint; got bigint; tries int := 0;
BEGIN
  LOOP
    SELECT c.id INTO candidate FROM (
      SELECT t.id FROM tasks_task t
      WHERE t.bucket_id = _bucket AND t.is_open AND (t.expires_at IS NULL OR t.expires_at > _at)
        AND (_only IS NULL OR t.id = ANY (_only))
        AND NOT EXISTS (SELECT FROM tasks_assignment a WHERE a.job_id = _job AND a.task_id = t.id AND a.round = t.round
                        AND a.person_id = ANY (_persons) AND a.state NOT IN ('returned', 'expired') OFFSET 0)
      LIMIT 16) c ORDER BY random() LIMIT 1;
    EXIT WHEN candidate IS NULL;
    SELECT t.id INTO got FROM tasks_task t WHERE t.id = candidate AND t.is_open FOR UPDATE;
    EXIT WHEN got IS NOT NULL;
    tries := tries + 1;
    EXIT WHEN tries >= 16;
  END LOOP;
  RETURN got;
END $$;

-- Take up to _want tasks of one bucket for this worker: hidden gold at the job's rate, then the worker's own walk.
CREATE OR REPLACE FUNCTION claim_from(
  _worker accounts_worker, _job tasks_job, _bucket bigint, _only bigint[], _want int, _at timestamptz
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  persons bigint[] := _worker.earlier_persons || _worker.person_id;
  place tasks_workerbucket; ids bigint[] := '{}'; more bigint[]; key int; started timestamptz; gold int := 0; one bigint;
BEGIN
  IF _only IS NOT NULL THEN  -- offered tasks: those that are named, in their order in the queue
    SELECT array_agg(w.id) INTO ids FROM (
      SELECT t.id FROM tasks_task t
      WHERE t.id = ANY (_only) AND t.bucket_id = _bucket AND t.is_open AND (t.expires_at IS NULL OR t.expires_at > _at)
        AND NOT EXISTS (SELECT FROM tasks_assignment a WHERE a.job_id = _job.id AND a.task_id = t.id AND a.round = t.round
                        AND a.person_id = ANY (persons) AND a.state NOT IN ('returned', 'expired') OFFSET 0)
      ORDER BY t.queue_key LIMIT _want FOR UPDATE OF t SKIP LOCKED) w;
    RETURN coalesce(ids, '{}');
  END IF;
  SELECT * INTO place FROM tasks_workerbucket w WHERE w.worker_id = _worker.id AND w.bucket_id = _bucket;
  IF place.dry_until > _at THEN RETURN ids; END IF;
  IF _job.gold_share_bp > 0 AND EXISTS (SELECT FROM tasks_task t WHERE t.bucket_id = _bucket AND t.is_open) THEN
    SELECT count(*) INTO gold FROM generate_series(1, _want) WHERE random() * 10000 < _job.gold_share_bp;
    FOR one IN SELECT g.id FROM tasks_bucket g WHERE g.job_id = _job.id AND g.gold ORDER BY random() LOOP
      EXIT WHEN cardinality(ids) >= gold;
      key := (random() * 2147483646)::int;
      more := (claim_walk(one, _job.id, persons, key, 2147483647, gold - cardinality(ids), _at)).ids;
      ids := ids || coalesce(more, (claim_walk(one, _job.id, persons, -1, key, gold - cardinality(ids), _at)).ids, '{}');
    END LOOP;
    IF cardinality(ids) >= _want THEN RETURN ids; END IF;
  END IF;
  started := clock_timestamp();
  SELECT w.ids, w.last_key INTO more, key
    FROM claim_walk(_bucket, _job.id, persons, place.cursor, 2147483647, _want - cardinality(ids), _at) w;
  ids := ids || coalesce(more, '{}');
  IF cardinality(ids) < _want AND place.cursor >= 0 THEN  -- past the end: once round to where the walk began
    SELECT w.ids, w.last_key INTO more, one
      FROM claim_walk(_bucket, _job.id, persons, -1, place.cursor, _want - cardinality(ids), _at) w;
    ids := ids || coalesce(more, '{}');
    key := coalesce(one, key);
  END IF;
  IF key IS NOT NULL THEN
    UPDATE tasks_workerbucket w SET cursor = key WHERE w.worker_id = _worker.id AND w.bucket_id = _bucket;
  ELSIF clock_timestamp() - started > interval '0.5 milliseconds' THEN
    -- Full of tasks that this worker has done: look elsewhere first for a while. Nothing is refused on this account,
    -- since the second pass of claim_tasks looks into every bucket.
    UPDATE tasks_workerbucket w SET dry_until = _at + interval '2 seconds'
    WHERE w.worker_id = _worker.id AND w.bucket_id = _bucket;
  END IF;
  RETURN ids;
END $$;

-- Book the chosen tasks: slots off the tasks, one lease each, in random order so that the order says nothing.
CREATE OR REPLACE FUNCTION claim_book(
  _worker accounts_worker, _job tasks_job, _grant bigint, _ids bigint[], _at timestamptz
) RETURNS SETOF tasks_assignment LANGUAGE plpgsql AS $$
BEGIN
  UPDATE tasks_task t SET leased_count = t.leased_count + 1 WHERE t.id = ANY (_ids);
  RETURN QUERY
    INSERT INTO tasks_assignment (job_id, task_id, worker_id, person_id, round, purpose, state, price_micros, fee_micros,
                                  grant_id, schema_id, guidelines_id, eligibility_id, leased_at, lease_ends_at, reason)
    SELECT t.job_id, t.id, _worker.id, _worker.person_id, t.round,
           CASE WHEN t.gold_item_id IS NOT NULL THEN 'calibration' WHEN t.waiting_for = 'crowd' THEN 'label'
                ELSE t.waiting_for END,
           'leased',
           CASE WHEN _worker.kind = 'model' THEN 0 ELSE t.price_micros END,
           CASE WHEN _worker.kind = 'model' THEN 0 ELSE t.fee_micros END,
           _grant, _job.schema_id, _job.guidelines_id, _job.eligibility_id,
           _at, _at + make_interval(secs => _job.lease_seconds), ''
    FROM tasks_task t WHERE t.id = ANY (_ids) ORDER BY random()
    RETURNING *;
END $$;

-- The worker, if this key (null: none is used) may act for them now; refusal says why not.
CREATE OR REPLACE FUNCTION claimant(_worker_id bigint, _key_id bigint, _at timestamptz, OUT worker accounts_worker, OUT refusal text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(_worker_id);
  SELECT * INTO worker FROM accounts_worker w WHERE w.id = _worker_id;
  IF NOT FOUND THEN refusal := 'no_such_worker'; RETURN; END IF;
  IF worker.state <> 'active' THEN refusal := 'worker_' || worker.state; RETURN; END IF;
  IF _key_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM accounts_apikey k LEFT JOIN accounts_user u ON u.id = worker.user_id
      WHERE k.id = _key_id AND k.worker_id = _worker_id AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()) AND coalesce(u.is_active, true)) THEN
    refusal := 'key_revoked';
  END IF;
END $$;

-- Lease up to _count tasks to the worker: of one job, of the tasks named in _only, or of whatever suits best.
-- One row a lease; or one row with a refusal and nothing else. _at null: now.
CREATE OR REPLACE FUNCTION claim_tasks(
  _worker_id bigint, _key_id bigint, _count int, _job_id bigint, _only bigint[], _now timestamptz
) RETURNS TABLE (refusal text, assignment_id bigint, task_id bigint, job_id bigint, schema_id bigint, guidelines_id bigint,
                 price_micros bigint, currency text, lease_ends_at timestamptz, payload text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
  at timestamptz := coalesce(_now, clock_timestamp());
  who record; worker accounts_worker; job tasks_job; gate record; walk record; ids bigint[];
  want int; got int := 0; epoch_now bigint; attempt int; one bigint;
BEGIN
  SELECT * INTO who FROM claimant(_worker_id, _key_id, at);
  IF who.refusal IS NOT NULL THEN refusal := who.refusal; RETURN NEXT; RETURN; END IF;
  worker := who.worker;
  refusal := claim_bar(worker, NULL, at);
  IF refusal IS NOT NULL THEN RETURN NEXT; RETURN; END IF;
  SELECT _count - greatest(0, _count + count(*) - 200)::int INTO want
    FROM tasks_assignment a WHERE a.worker_id = _worker_id AND a.state = 'leased';
  IF want <= 0 THEN refusal := 'too_many_leases'; RETURN NEXT; RETURN; END IF;
  PERFORM expire_leases(64, at);
  SELECT e.epoch INTO epoch_now FROM tasks_routeepoch e WHERE e.id = 1;
  PERFORM FROM tasks_workerroute r WHERE r.worker_id = _worker_id AND r.epoch = epoch_now
    AND r.standing_epoch = worker.standing_epoch AND r.stale_at > at;
  IF NOT FOUND THEN PERFORM route_worker(worker, epoch_now, at); END IF;
  IF _job_id IS NOT NULL THEN  -- somebody asked for this job: say which gate is closed
    SELECT * INTO job FROM tasks_job j WHERE j.id = _job_id;
    SELECT * INTO gate FROM claim_gate(worker, job, at);
    IF gate.refusal IS NOT NULL THEN refusal := gate.refusal; RETURN NEXT; RETURN; END IF;
  END IF;
  -- Two passes: first whatever is free, then (only with nothing in hand) wait for what is locked this very moment.
  FOR attempt IN 1..2 LOOP
    FOR walk IN
      SELECT o.bucket_id, o.job_id FROM (
        SELECT w.bucket_id, b.job_id, w.score FROM tasks_workerbucket w JOIN tasks_bucket b ON b.id = w.bucket_id
        WHERE w.worker_id = _worker_id AND (_job_id IS NULL OR b.job_id = _job_id)
        UNION ALL  -- hidden gold is in nobody's route; named, it is offered like any task
        SELECT g.id, g.job_id, -1 FROM tasks_bucket g
        WHERE _only IS NOT NULL AND g.gold AND (_job_id IS NULL OR g.job_id = _job_id)
          AND g.id IN (SELECT t.bucket_id FROM tasks_task t WHERE t.id = ANY (_only))) o
      ORDER BY o.score DESC, o.bucket_id
    LOOP
      CONTINUE WHEN NOT EXISTS (SELECT FROM tasks_task t WHERE t.bucket_id = walk.bucket_id AND t.is_open);
      SELECT * INTO job FROM tasks_job j WHERE j.id = walk.job_id;
      SELECT * INTO gate FROM claim_gate(worker, job, at);
      CONTINUE WHEN gate.refusal IS NOT NULL;
      IF attempt = 1 THEN
        ids := claim_from(worker, job, walk.bucket_id, _only, least(want - got, gate.answers_left), at);
      ELSE
        one := claim_wait(walk.bucket_id, job.id, worker.earlier_persons || worker.person_id, _only, at);
        ids := CASE WHEN one IS NULL THEN '{}' ELSE ARRAY[one] END;
      END IF;
      CONTINUE WHEN cardinality(ids) = 0;
      got := got + cardinality(ids);
      RETURN QUERY
        SELECT NULL, a.id, a.task_id, a.job_id, a.schema_id, a.guidelines_id, a.price_micros, job.currency::text,
               a.lease_ends_at, p.content::text
        FROM claim_book(worker, job, gate.grant_id, ids, at) a JOIN tasks_payload p ON p.task_id = a.task_id;
      EXIT WHEN got >= want OR attempt = 2;
    END LOOP;
    EXIT WHEN got > 0;
  END LOOP;
  IF got = 0 THEN refusal := 'no_open_task'; RETURN NEXT; END IF;
END $$;
