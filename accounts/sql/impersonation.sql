-- Guards of impersonation. Who may look through whose eyes is checked here as well as in the act.
CREATE FUNCTION only_support_impersonates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT FROM accounts_platformrole r JOIN accounts_user u ON u.id = r.user_id
       WHERE r.user_id = NEW.supporter_id AND r.role IN ('support', 'admin') AND u.is_active)
     OR NEW.supporter_id = NEW.target_id
     OR EXISTS (SELECT FROM accounts_platformrole r WHERE r.user_id = NEW.target_id)
     OR NOT EXISTS (
      SELECT FROM accounts_user u WHERE u.id = NEW.target_id AND u.is_active AND NOT u.is_staff AND NOT u.is_superuser) THEN
    RAISE EXCEPTION 'user % may not look through the eyes of user %', NEW.supporter_id, NEW.target_id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'only_support_impersonates', TABLE = 'accounts_impersonation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER only_support_impersonates BEFORE INSERT ON accounts_impersonation
  FOR EACH ROW EXECUTE FUNCTION only_support_impersonates();

-- It is evidence: it ends, once. Only the erasure of one of its two people takes out more: their number, and the reason.
CREATE FUNCTION an_impersonation_only_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.started_at, NEW.ends_at) IS DISTINCT FROM (OLD.started_at, OLD.ends_at)
     OR (NEW.ended_at IS DISTINCT FROM OLD.ended_at AND OLD.ended_at IS NOT NULL)
     OR (NEW.supporter_id IS NOT NULL AND NEW.supporter_id IS DISTINCT FROM OLD.supporter_id)
     OR (NEW.target_id IS NOT NULL AND NEW.target_id IS DISTINCT FROM OLD.target_id)
     OR (NEW.reason <> OLD.reason AND NOT (NEW.reason = 'erased' AND NEW.target_id IS NULL)) THEN
    RAISE EXCEPTION 'impersonation % is evidence: it ends, and nothing else of it changes', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'an_impersonation_only_ends', TABLE = 'accounts_impersonation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER an_impersonation_only_ends BEFORE UPDATE ON accounts_impersonation
  FOR EACH ROW EXECUTE FUNCTION an_impersonation_only_ends();
CREATE TRIGGER an_impersonation_is_kept BEFORE DELETE ON accounts_impersonation
  FOR EACH ROW EXECUTE FUNCTION forbid_change('an_impersonation_is_kept');
