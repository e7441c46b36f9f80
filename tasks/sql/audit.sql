-- A job's terms under audit (accounts/sql/audit.sql), each row under the organisation that posted the job.
-- Argument: the column that leads to it (job_id, or eligibility_id), then the columns that are never told.
CREATE FUNCTION audit_change_of_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  leads_to bigint := (coalesce(new_row, old_row) ->> TG_ARGV[0])::bigint;
BEGIN
  IF TG_ARGV[0] = 'eligibility_id' THEN
    SELECT job_id INTO leads_to FROM tasks_eligibility WHERE id = leads_to;
  END IF;
  PERFORM audit_write(
    TG_OP, TG_TABLE_NAME, (coalesce(new_row, old_row) ->> 'id')::bigint,
    (SELECT organisation_id FROM tasks_job WHERE id = leads_to), old_row, new_row, TG_ARGV[1:], '{}', NULL);
  RETURN NULL;
END $$;

-- Texts and definitions are kept as versions of their own, which never change; the audit says who made which.
CREATE TRIGGER labelschema_is_audited AFTER INSERT ON tasks_labelschema
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('job_id', 'definition');
CREATE TRIGGER guidelines_are_audited AFTER INSERT ON tasks_guidelines
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('job_id', 'text');
CREATE TRIGGER eligibility_is_audited AFTER INSERT ON tasks_eligibility
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('job_id');
CREATE TRIGGER requirement_is_audited AFTER INSERT ON tasks_requirement
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('eligibility_id');
CREATE TRIGGER plan_is_audited AFTER INSERT ON tasks_qualityplan
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('job_id');
CREATE TRIGGER answer_flag_is_audited AFTER INSERT OR UPDATE OR DELETE ON tasks_answerflag
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('job_id', 'note');
DROP TRIGGER release_is_audited ON tasks_release;
CREATE TRIGGER release_is_audited AFTER INSERT OR UPDATE ON tasks_release
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_job('job_id', 'manifest');
REVOKE ALL ON FUNCTION audit_change_of_job() FROM PUBLIC;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'touchstone_app') THEN
    REVOKE ALL ON FUNCTION audit_change_of_job() FROM touchstone_app;
  END IF;
END $$;
