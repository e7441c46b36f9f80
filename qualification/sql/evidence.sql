-- Observations are evidence; qualifications change only by being revoked, once.
CREATE TRIGGER observations_are_append_only BEFORE UPDATE OR DELETE ON qualification_observation
  FOR EACH ROW EXECUTE FUNCTION forbid_change('observations_are_append_only');
CREATE TRIGGER observations_are_never_emptied BEFORE TRUNCATE ON qualification_observation
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('observations_are_append_only');

CREATE FUNCTION qualification_is_only_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.revoked_at IS NOT NULL
     OR to_jsonb(NEW) - '{revoked_at,revoked_reason}'::text[]
        IS DISTINCT FROM to_jsonb(OLD) - '{revoked_at,revoked_reason}'::text[] THEN
    RAISE EXCEPTION 'a qualification is revoked once and never edited'
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'qualification_is_only_revoked';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER qualification_is_only_revoked BEFORE UPDATE OR DELETE ON qualification_qualification
  FOR EACH ROW EXECUTE FUNCTION qualification_is_only_revoked();
CREATE TRIGGER qualifications_are_never_emptied BEFORE TRUNCATE ON qualification_qualification
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('qualification_is_only_revoked');

CREATE TRIGGER qualification_is_audited AFTER INSERT OR UPDATE ON qualification_qualification
  FOR EACH ROW EXECUTE FUNCTION audit_change('organisation_id');
CREATE TRIGGER gold_item_is_audited AFTER UPDATE OR DELETE ON qualification_golditem
  FOR EACH ROW EXECUTE FUNCTION audit_change('', 'payload', 'content_hash');
CREATE TRIGGER exam_is_audited AFTER INSERT OR UPDATE OR DELETE ON qualification_exam
  FOR EACH ROW EXECUTE FUNCTION audit_change('organisation_id');
