-- One audit row for each row changed, in the same transaction, whoever writes and however (bulk updates too).
-- Arguments: the column that names the organisation ('' for none), then the columns that are never copied (secrets).
-- SECURITY DEFINER: the app role may read the audit and call this through its triggers, and nothing else.
CREATE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - TG_ARGV[1:] END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - TG_ARGV[1:] END;
BEGIN
  IF old_row = new_row THEN RETURN NULL; END IF;
  INSERT INTO accounts_auditrow (at, actor, impersonator, action, subject, subject_id, organisation_id, before, after)
  VALUES (
    clock_timestamp(),
    coalesce(nullif(current_setting('touchstone.actor', true), ''), 'database:' || session_user),
    coalesce(current_setting('touchstone.impersonator', true), ''),
    lower(TG_OP), TG_TABLE_NAME,
    (coalesce(new_row, old_row) ->> 'id')::bigint,
    CASE WHEN TG_ARGV[0] <> '' THEN (coalesce(new_row, old_row) ->> TG_ARGV[0])::bigint END,
    old_row, new_row);
  RETURN NULL;
END $$;

-- Names, addresses and passwords stay out of the audit: what is recorded of a user is what they may do.
CREATE TRIGGER user_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_user
  FOR EACH ROW EXECUTE FUNCTION audit_change('', 'email', 'name', 'password', 'last_login');
CREATE TRIGGER platform_role_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_platformrole
  FOR EACH ROW EXECUTE FUNCTION audit_change('');
CREATE TRIGGER organisation_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_organisation
  FOR EACH ROW EXECUTE FUNCTION audit_change('id', 'pseudonym_key');
CREATE TRIGGER membership_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_membership
  FOR EACH ROW EXECUTE FUNCTION audit_change('organisation_id');
-- last_used_at and standing_epoch are bookkeeping, not decisions: a change of them alone leaves no row.
CREATE TRIGGER api_key_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_apikey
  FOR EACH ROW EXECUTE FUNCTION audit_change('organisation_id', 'digest', 'last_used_at');
CREATE TRIGGER worker_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_worker
  FOR EACH ROW EXECUTE FUNCTION audit_change('', 'standing_epoch');

DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'touchstone_app') THEN
    REVOKE INSERT, UPDATE, DELETE ON accounts_auditrow FROM touchstone_app;
  END IF;
END $$;
