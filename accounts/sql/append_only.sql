-- Rows that are evidence are never edited or removed, whoever asks: BEFORE UPDATE OR DELETE, and BEFORE TRUNCATE.
-- The trigger's one argument is the name of the rule, reported as the violated constraint.
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, lower(TG_OP)
    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
END $$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON accounts_auditrow
  FOR EACH ROW EXECUTE FUNCTION forbid_change('audit_is_append_only');
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON accounts_auditrow
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('audit_is_append_only');
