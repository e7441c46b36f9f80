-- Guards of credentials: how they move, who may say yes, and what is never changed afterwards.
-- What was written about a person who was erased may be blanked, and nothing else of it: see credential_is_erased.

CREATE FUNCTION credential_is_erased(credential bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM accounts_credential c JOIN accounts_worker w ON w.id = c.worker_id
                 WHERE c.id = credential AND w.state = 'erased')
$$;

-- A credential comes in filed, in its first round, and moves only as people and time move it.
CREATE FUNCTION move_credential() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  gone boolean := EXISTS (SELECT FROM accounts_worker w WHERE w.id = NEW.worker_id AND w.state = 'erased');
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'filed' OR NEW.round <> 1 THEN
      RAISE EXCEPTION 'a credential begins filed'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_credential_begins_filed', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
       ('filed', 'in_review'), ('filed', 'withdrawn'), ('in_review', 'filed'), ('in_review', 'more_wanted'),
       ('in_review', 'verified'), ('in_review', 'refused'), ('more_wanted', 'filed'), ('more_wanted', 'withdrawn'),
       ('verified', 'expired'), ('verified', 'revoked'))
     AND NOT (gone AND OLD.state = 'in_review' AND NEW.state = 'withdrawn') THEN
    RAISE EXCEPTION 'credential % does not move from % to %', OLD.id, OLD.state, NEW.state
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'credential_moves_are_legal', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.round <> OLD.round + (CASE WHEN OLD.state = 'more_wanted' AND NEW.state = 'filed' THEN 1 ELSE 0 END) THEN
    RAISE EXCEPTION 'credential %: a round begins with an answer to a question, and with nothing else', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'an_answer_begins_a_round', TABLE = TG_TABLE_NAME;
  END IF;
  -- What was approved is what was shown: the facts change with the round. Sealing them follows the row that it names.
  IF (NEW.worker_id, NEW.type_id, NEW.source, NEW.renews_id)
     IS DISTINCT FROM (OLD.worker_id, OLD.type_id, OLD.source, OLD.renews_id)
     OR NEW.round = OLD.round AND OLD.details IS NOT NULL AND NOT gone AND
        (NEW.issuer, NEW.jurisdiction, NEW.details, NEW.number_digest, NEW.issued_on, NEW.expires_on)
        IS DISTINCT FROM
        (OLD.issuer, OLD.jurisdiction, OLD.details, OLD.number_digest, OLD.issued_on, OLD.expires_on) THEN
    RAISE EXCEPTION 'what credential % says is settled until the next round', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'what_was_shown_is_kept', TABLE = TG_TABLE_NAME;
  END IF;
  IF NEW.state = 'verified' AND OLD.state <> 'verified' AND
     (SELECT count(DISTINCT a.verifier_id) FROM accounts_approval a WHERE a.credential_id = NEW.id AND a.round = NEW.round)
     < (SELECT t.verifiers_needed FROM accounts_credentialtype t WHERE t.id = NEW.type_id) THEN
    RAISE EXCEPTION 'credential % has not been approved by as many as its type needs', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'verified_needs_its_approvals', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER credential_moves_are_legal BEFORE INSERT OR UPDATE ON accounts_credential
  FOR EACH ROW EXECUTE FUNCTION move_credential();
CREATE TRIGGER credentials_are_kept BEFORE DELETE ON accounts_credential
  FOR EACH ROW EXECUTE FUNCTION forbid_change('credentials_are_kept');

-- A yes is said by a verifier, to what lies before them in review, and never to their own. The credential is locked, so
-- that it cannot leave the review between the look and the yes; so is the role, so that it is held when the yes counts.
CREATE FUNCTION allow_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  about accounts_credential;
BEGIN
  SELECT * INTO about FROM accounts_credential WHERE id = NEW.credential_id FOR NO KEY UPDATE;
  PERFORM FROM accounts_platformrole WHERE user_id = NEW.verifier_id AND role IN ('verifier', 'admin') FOR KEY SHARE;
  IF NOT (FOUND OR EXISTS (SELECT FROM accounts_user WHERE id = NEW.verifier_id AND is_superuser))
     OR NOT EXISTS (SELECT FROM accounts_user WHERE id = NEW.verifier_id AND is_active) THEN
    RAISE EXCEPTION 'user % is no verifier', NEW.verifier_id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'an_approval_is_by_a_verifier', TABLE = TG_TABLE_NAME;
  END IF;
  IF about.state <> 'in_review' OR about.round <> NEW.round OR about.claimed_by_id IS DISTINCT FROM NEW.verifier_id THEN
    RAISE EXCEPTION 'credential % does not lie before user %', NEW.credential_id, NEW.verifier_id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'an_approval_is_of_what_is_in_review', TABLE = TG_TABLE_NAME;
  END IF;
  IF EXISTS (SELECT FROM accounts_worker mine JOIN accounts_worker theirs ON theirs.person_id = mine.person_id
             WHERE theirs.id = about.worker_id AND mine.user_id = NEW.verifier_id) THEN
    RAISE EXCEPTION 'credential % is of user % themself', NEW.credential_id, NEW.verifier_id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'an_approval_is_never_ones_own', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER an_approval_is_anothers BEFORE INSERT ON accounts_approval
  FOR EACH ROW EXECUTE FUNCTION allow_approval();

-- Rows that are evidence. An account that goes leaves its approvals and assessments behind without its number, and an
-- erased person's rows may lose what was written about them. The argument names the columns that may be blanked then.
CREATE FUNCTION keep_credential_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := to_jsonb(OLD);
  after jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) END;
  one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['verifier_id', 'assessor_id'] LOOP
    IF after -> one = 'null' THEN before := before - one; after := after - one; END IF;
  END LOOP;
  IF after IS NOT NULL AND credential_is_erased(OLD.credential_id) THEN
    before := before - TG_ARGV[1]::text[];
    after := after - TG_ARGV[1]::text[];
  END IF;
  IF after IS DISTINCT FROM before THEN
    RAISE EXCEPTION '% keeps its rows: % refused', TG_TABLE_NAME, lower(TG_OP)
      USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER credential_step_is_append_only BEFORE UPDATE OR DELETE ON accounts_credentialstep
  FOR EACH ROW EXECUTE FUNCTION keep_credential_row('credential_step_is_append_only', '{note}');
CREATE TRIGGER credential_step_is_never_emptied BEFORE TRUNCATE ON accounts_credentialstep
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('credential_step_is_append_only');
CREATE TRIGGER approval_is_append_only BEFORE UPDATE OR DELETE ON accounts_approval
  FOR EACH ROW EXECUTE FUNCTION keep_credential_row('approval_is_append_only', '{note}');
CREATE TRIGGER approval_is_never_emptied BEFORE TRUNCATE ON accounts_approval
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('approval_is_append_only');
CREATE TRIGGER evidence_view_is_append_only BEFORE UPDATE OR DELETE ON accounts_evidenceview
  FOR EACH ROW EXECUTE FUNCTION forbid_change('evidence_view_is_append_only');
CREATE TRIGGER evidence_view_is_never_emptied BEFORE TRUNCATE ON accounts_evidenceview
  FOR EACH STATEMENT EXECUTE FUNCTION forbid_change('evidence_view_is_append_only');

-- A document is what it was when it was shown. Only its file goes, once.
CREATE FUNCTION keep_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.removed_at IS NOT NULL AND NEW.removed_at IS DISTINCT FROM OLD.removed_at
     OR to_jsonb(NEW) - '{removed_at}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{removed_at}'::text[]
        AND NOT (credential_is_erased(OLD.credential_id) AND to_jsonb(NEW) - '{removed_at,digest}'::text[]
                 IS NOT DISTINCT FROM to_jsonb(OLD) - '{removed_at,digest}'::text[]) THEN
    RAISE EXCEPTION 'document % is only ever removed from the store', OLD.id
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'evidence_is_only_removed', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER evidence_is_only_removed BEFORE UPDATE OR DELETE ON accounts_evidence
  FOR EACH ROW EXECUTE FUNCTION keep_evidence();

-- An assessment is scored or cancelled once, by whoever it was arranged with; then it stays.
CREATE TRIGGER a_decided_assessment_stays BEFORE UPDATE OR DELETE ON accounts_assessment
  FOR EACH ROW WHEN (OLD.scored_at IS NOT NULL OR OLD.cancelled_at IS NOT NULL)
  EXECUTE FUNCTION keep_credential_row('a_decided_assessment_stays', '{note,place}');
