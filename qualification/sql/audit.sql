-- Configuration of this floor under audit (accounts/sql/audit.sql).
CREATE TRIGGER domain_is_audited AFTER INSERT OR UPDATE OR DELETE ON qualification_domain
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', 'organisation_id', '{}', '{}');
CREATE TRIGGER gold_set_is_audited AFTER INSERT OR UPDATE OR DELETE ON qualification_goldset
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', 'organisation_id', '{}', '{}');
CREATE TRIGGER credential_rule_is_audited AFTER INSERT OR UPDATE OR DELETE ON qualification_credentialrule
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{}');

-- Gold belongs to whom its set belongs to.
CREATE FUNCTION audit_change_of_gold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM audit_write(
    TG_OP, TG_TABLE_NAME, OLD.id, (SELECT organisation_id FROM qualification_goldset WHERE id = OLD.gold_set_id),
    to_jsonb(OLD), CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END, '{payload,content_hash}', '{}', NULL);
  RETURN NULL;
END $$;
DROP TRIGGER gold_item_is_audited ON qualification_golditem;
CREATE TRIGGER gold_item_is_audited AFTER UPDATE OR DELETE ON qualification_golditem
  FOR EACH ROW EXECUTE FUNCTION audit_change_of_gold();
REVOKE ALL ON FUNCTION audit_change_of_gold() FROM PUBLIC;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'touchstone_app') THEN
    REVOKE ALL ON FUNCTION audit_change_of_gold() FROM touchstone_app;
  END IF;
END $$;

-- A qualification is revoked once and never edited, but that a person who granted it may be forgotten.
CREATE OR REPLACE FUNCTION qualification_is_only_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.granted_by_id IS NULL
     AND to_jsonb(NEW) - 'granted_by_id' = to_jsonb(OLD) - 'granted_by_id' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR OLD.revoked_at IS NOT NULL
     OR to_jsonb(NEW) - '{revoked_at,revoked_reason}'::text[]
        IS DISTINCT FROM to_jsonb(OLD) - '{revoked_at,revoked_reason}'::text[] THEN
    RAISE EXCEPTION 'a qualification is revoked once and never edited'
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'qualification_is_only_revoked';
  END IF;
  RETURN NEW;
END $$;
