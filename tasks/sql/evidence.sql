-- Answers, versions and released files are evidence: never edited, never removed.
-- Tables of lower floors guarded here: accounts_worker (hot tables refer to its rows).
DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['answer', 'labelschema', 'guidelines', 'eligibility', 'requirement', 'qualityplan', 'releasefile', 'payload'] LOOP
    EXECUTE format('CREATE TRIGGER %s_is_append_only BEFORE UPDATE OR DELETE ON tasks_%s
      FOR EACH ROW EXECUTE FUNCTION forbid_change(%L)', one, one, one || '_is_append_only');
  END LOOP;
  -- Rows that hot tables refer to without a checked key, and the evidence itself, are never removed.
  FOREACH one IN ARRAY ARRAY['tasks_job', 'tasks_batch', 'tasks_bucket', 'tasks_task', 'tasks_assignment', 'tasks_release', 'accounts_worker'] LOOP
    EXECUTE format('CREATE TRIGGER %s_is_never_removed BEFORE DELETE ON %s
      FOR EACH ROW EXECUTE FUNCTION forbid_change(%L)', one, one, one || '_is_never_removed');
  END LOOP;
  FOREACH one IN ARRAY ARRAY['tasks_answer', 'tasks_assignment', 'tasks_task', 'tasks_job', 'tasks_release', 'tasks_releasefile', 'tasks_payload'] LOOP
    EXECUTE format('CREATE TRIGGER %s_is_never_emptied BEFORE TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION forbid_change(%L)', one, one, one || '_is_never_emptied');
  END LOOP;
END $$;

-- What was decided at the claim stays decided: only the state of an assignment moves.
CREATE FUNCTION assignment_terms_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the terms of an assignment are frozen at the claim'
    USING ERRCODE = 'restrict_violation', CONSTRAINT = 'assignment_terms_are_frozen';
END $$;
CREATE TRIGGER assignment_terms_are_frozen BEFORE UPDATE ON tasks_assignment FOR EACH ROW
  WHEN ((OLD.job_id, OLD.task_id, OLD.worker_id, OLD.person_id, OLD.round, OLD.purpose, OLD.price_micros, OLD.fee_micros,
         OLD.schema_id, OLD.guidelines_id, OLD.eligibility_id, OLD.leased_at)
        IS DISTINCT FROM
        (NEW.job_id, NEW.task_id, NEW.worker_id, NEW.person_id, NEW.round, NEW.purpose, NEW.price_micros, NEW.fee_micros,
         NEW.schema_id, NEW.guidelines_id, NEW.eligibility_id, NEW.leased_at)
        OR OLD.grant_id IS DISTINCT FROM NEW.grant_id)
  EXECUTE FUNCTION assignment_terms_are_frozen();

-- An assignment that has ended stays ended.
CREATE FUNCTION assignment_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'assignment % has ended (%)', OLD.id, OLD.state
    USING ERRCODE = 'restrict_violation', CONSTRAINT = 'assignment_ends_once';
END $$;
CREATE TRIGGER assignment_ends_once BEFORE UPDATE ON tasks_assignment FOR EACH ROW
  WHEN (OLD.state IN ('settled', 'returned', 'expired') AND NEW.state <> OLD.state)
  EXECUTE FUNCTION assignment_ends_once();

CREATE FUNCTION release_is_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'release % is sealed', OLD.id USING ERRCODE = 'restrict_violation', CONSTRAINT = 'release_is_sealed';
END $$;
CREATE TRIGGER release_is_sealed BEFORE UPDATE ON tasks_release FOR EACH ROW
  WHEN (OLD.state = 'sealed') EXECUTE FUNCTION release_is_sealed();

-- Counters are bookkeeping; who changed a job's terms, state or funding is on record.
CREATE TRIGGER job_is_audited AFTER INSERT OR UPDATE ON tasks_job
  FOR EACH ROW EXECUTE FUNCTION audit_change('organisation_id', 'reserved_micros');
CREATE TRIGGER release_is_audited AFTER INSERT OR UPDATE ON tasks_release
  FOR EACH ROW EXECUTE FUNCTION audit_change('', 'manifest');

ALTER TABLE tasks_task SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE tasks_assignment SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE tasks_consensus SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE tasks_workerbucket SET (fillfactor = 50);
ALTER TABLE tasks_workerroute SET (fillfactor = 50);
ALTER TABLE tasks_job SET (fillfactor = 50);
-- Read back in blocks: of a compressed value each block would unpack all that comes before it.
ALTER TABLE tasks_releasefile ALTER COLUMN content SET STORAGE EXTERNAL;

INSERT INTO tasks_routeepoch (id, epoch) VALUES (1, 1);
