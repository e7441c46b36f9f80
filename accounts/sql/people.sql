-- Guards of workers' consents, blocks and profiles.

-- A text that somebody may have agreed to is never edited: a new version is a new row. It may be put out of force, once.
CREATE FUNCTION keep_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.organisation_id, NEW.kind, NEW.version, NEW.title, NEW.text, NEW.published_at)
     IS DISTINCT FROM (OLD.organisation_id, OLD.kind, OLD.version, OLD.title, OLD.text, OLD.published_at)
     OR (NEW.current AND NOT OLD.current) THEN
    RAISE EXCEPTION 'terms % are published: they are not edited and do not come back', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'published_terms_are_never_edited', TABLE = 'accounts_terms';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER published_terms_are_never_edited BEFORE UPDATE ON accounts_terms
  FOR EACH ROW EXECUTE FUNCTION keep_terms();
CREATE TRIGGER published_terms_are_kept BEFORE DELETE ON accounts_terms
  FOR EACH ROW EXECUTE FUNCTION forbid_change('published_terms_are_kept');

CREATE TRIGGER consent_is_append_only BEFORE UPDATE OR DELETE ON accounts_consent
  FOR EACH ROW EXECUTE FUNCTION forbid_change('consent_is_append_only');
CREATE TRIGGER consent_is_never_emptied BEFORE TRUNCATE ON accounts_consent
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('consent_is_append_only');

-- Whom a block holds for how long and why is settled when it is made; it may be lifted, once. Its person follows linked
-- accounts, and what was written about a person who was erased is blanked.
CREATE FUNCTION keep_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.worker_id, NEW.organisation_id, NEW.starts_at, NEW.ends_at)
     IS DISTINCT FROM (OLD.worker_id, OLD.organisation_id, OLD.starts_at, OLD.ends_at)
     OR (OLD.lifted_at IS NOT NULL AND NEW.lifted_at IS DISTINCT FROM OLD.lifted_at)
     OR ((NEW.reason <> OLD.reason OR (OLD.lifted_at IS NOT NULL AND NEW.lifted_reason <> OLD.lifted_reason))
         AND NOT (NEW.reason = 'erased' AND EXISTS (
           SELECT FROM accounts_worker w WHERE w.id = OLD.worker_id AND w.state = 'erased'))) THEN
    RAISE EXCEPTION 'block % is only ever lifted, and once', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_block_is_only_lifted', TABLE = 'accounts_block';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a_block_is_only_lifted BEFORE UPDATE ON accounts_block
  FOR EACH ROW EXECUTE FUNCTION keep_block();
CREATE TRIGGER blocks_are_kept BEFORE DELETE ON accounts_block
  FOR EACH ROW EXECUTE FUNCTION forbid_change('blocks_are_kept');
