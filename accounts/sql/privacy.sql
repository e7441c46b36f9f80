-- Guards of privacy: erasing is final, and a key that was given to a person is never another's.
ALTER TABLE accounts_worker ADD CONSTRAINT an_erased_worker_has_no_name
  CHECK (state <> 'erased' OR (user_id IS NULL AND name = '' AND state_reason = ''));

CREATE FUNCTION an_erased_worker_stays_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'worker % was erased', OLD.id
    USING ERRCODE = 'restrict_violation', CONSTRAINT = 'an_erased_worker_stays_erased', TABLE = 'accounts_worker';
END $$;
CREATE TRIGGER an_erased_worker_stays_erased BEFORE UPDATE ON accounts_worker FOR EACH ROW
  WHEN (OLD.state = 'erased' AND NEW.state <> 'erased') EXECUTE FUNCTION an_erased_worker_stays_erased();

-- With another key in its place, everything sealed so far would be lost without a trace.
CREATE TRIGGER a_person_key_never_changes BEFORE UPDATE ON accounts_personkey
  FOR EACH ROW EXECUTE FUNCTION forbid_change('a_person_key_never_changes');

-- Nothing new is filed for who was erased: a document would stay in the store with nobody to ask about it.
CREATE FUNCTION nothing_is_filed_for_the_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM accounts_worker w WHERE w.id = NEW.worker_id AND w.state = 'erased') THEN
    RAISE EXCEPTION 'worker % was erased', NEW.worker_id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'nothing_is_filed_for_the_erased', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER nothing_is_filed_for_the_erased BEFORE INSERT ON accounts_credential
  FOR EACH ROW EXECUTE FUNCTION nothing_is_filed_for_the_erased();
