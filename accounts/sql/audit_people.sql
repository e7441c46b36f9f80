-- More tables under audit, and columns that the audit names without telling them.
--
-- The audit is never edited, so that erasing a person can take nothing out of it. What is a person's own, or written
-- about a person, is therefore veiled: the row says that it changed and never what it was.

-- Writes one row. Nobody but the triggers below may call it.
-- never: columns that are left out altogether, also when only they change (secrets, hashes, bookkeeping).
-- veiled: columns left out whose change is told by name, under "changed".
CREATE FUNCTION audit_write(op text, subject text, subject_id bigint, organisation bigint, old_row jsonb, new_row jsonb,
                            never text[], veiled text[], named text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  changed text[];
BEGIN
  old_row := old_row - never;
  new_row := new_row - never;
  IF old_row = new_row THEN RETURN; END IF;
  IF op = 'UPDATE' THEN
    changed := ARRAY(SELECT one FROM unnest(veiled) AS one WHERE old_row -> one IS DISTINCT FROM new_row -> one ORDER BY 1);
  END IF;
  old_row := old_row - veiled;
  new_row := new_row - veiled;
  IF changed <> '{}' THEN new_row := new_row || jsonb_build_object('changed', changed); END IF;
  INSERT INTO accounts_auditrow (at, actor, impersonator, action, subject, subject_id, organisation_id, before, after)
  VALUES (
    clock_timestamp(),
    coalesce(named, nullif(current_setting('touchstone.actor', true), ''), 'database:' || session_user),
    coalesce(current_setting('touchstone.impersonator', true), ''),
    lower(op), subject, subject_id, organisation, old_row, new_row);
END $$;

-- A number for a row whose key is text.
CREATE FUNCTION audit_number(key text) RETURNS bigint LANGUAGE sql IMMUTABLE
  AS $$ SELECT CASE WHEN key ~ '^[0-9]{1,18}$' THEN key::bigint ELSE ('x' || substr(md5(key), 1, 15))::bit(60)::bigint END $$;

-- Arguments: the key's column, the organisation's column ('' for none), columns never told, columns veiled.
CREATE FUNCTION audit_change_veiled() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
BEGIN
  PERFORM audit_write(
    TG_OP, TG_TABLE_NAME, audit_number(coalesce(new_row, old_row) ->> TG_ARGV[0]),
    CASE WHEN TG_ARGV[1] <> '' THEN (coalesce(new_row, old_row) ->> TG_ARGV[1])::bigint END,
    old_row, new_row, TG_ARGV[2]::text[], TG_ARGV[3]::text[], NULL);
  RETURN NULL;
END $$;

-- Every movement of money but the pay for answers, of which the answer is the record: there are as many as answers.
CREATE FUNCTION audit_transfer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM audit_write('INSERT', 'ledger_transfer', NEW.id, substring(NEW.ref FROM '^org:([0-9]{1,18})$')::bigint, NULL,
    jsonb_build_object('id', NEW.id, 'key', NEW.key, 'kind', NEW.kind, 'ref', NEW.ref, 'approver', NEW.approver,
                       'reason', NEW.reason, 'reverses_id', NEW.reverses_id, 'effective_at', NEW.effective_at),
    '{}', '{}', NEW.actor);
  RETURN NULL;
END $$;
CREATE TRIGGER transfer_is_audited AFTER INSERT ON ledger_transfer FOR EACH ROW WHEN (NEW.kind <> 'pay')
  EXECUTE FUNCTION audit_transfer();

-- Also the first tables: a changed password or address is told, and a worker's name is not.
DROP TRIGGER user_is_audited ON accounts_user;
CREATE TRIGGER user_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_user
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{last_login}', '{email,name,password}');
DROP TRIGGER worker_is_audited ON accounts_worker;
CREATE TRIGGER worker_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_worker
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{standing_epoch}', '{name,state_reason}');
DROP TRIGGER api_key_is_audited ON accounts_apikey;
CREATE TRIGGER api_key_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_apikey
  FOR EACH ROW EXECUTE FUNCTION
    audit_change_veiled('id', 'organisation_id', '{digest,last_used_at,spent_micros}', '{name,addresses}');

CREATE TRIGGER invitation_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_invitation
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', 'organisation_id', '{digest}', '{email}');
CREATE TRIGGER profile_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_profile
  FOR EACH ROW EXECUTE FUNCTION
    audit_change_veiled('worker_id', '', '{changed_at}', '{country,time_zone,education,device}');
CREATE TRIGGER language_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_spokenlanguage
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{language,level}');
CREATE TRIGGER person_key_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_personkey
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('user_id', '', '{}', '{wrapped}');
CREATE TRIGGER personal_data_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_personaldata
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('user_id', '', '{changed_at}', '{sealed}');
CREATE TRIGGER terms_are_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_terms
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', 'organisation_id', '{}', '{text}');
CREATE TRIGGER consent_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_consent
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{}');
CREATE TRIGGER block_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_block
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', 'organisation_id', '{}', '{reason,lifted_reason}');
CREATE TRIGGER credential_type_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_credentialtype
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{}');
CREATE TRIGGER credential_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_credential
  FOR EACH ROW EXECUTE FUNCTION
    audit_change_veiled('id', '', '{number_digest}', '{details,issuer,registry_result,reason,issued_on,expires_on}');
CREATE TRIGGER approval_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_approval
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{note}');
CREATE TRIGGER evidence_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_evidence
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{digest}', '{name,path}');
CREATE TRIGGER assessment_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_assessment
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{note,place}');
CREATE TRIGGER link_case_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_linkcase
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{reason}');
CREATE TRIGGER impersonation_is_audited AFTER INSERT OR UPDATE OR DELETE ON accounts_impersonation
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{reason}');

-- A trigger function may write to the audit; nobody may call one, or put one on a table of their own.
REVOKE ALL ON FUNCTION audit_change(), audit_change_veiled(), audit_transfer(),
  audit_write(text, text, bigint, bigint, jsonb, jsonb, text[], text[], text) FROM PUBLIC;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'touchstone_app') THEN
    REVOKE ALL ON FUNCTION audit_change(), audit_change_veiled(), audit_transfer(),
      audit_write(text, text, bigint, bigint, jsonb, jsonb, text[], text[], text) FROM touchstone_app;
  END IF;
END $$;
