-- The ledger's guards: what the table definitions cannot say.
--
-- Functions that write balances run as the owner (SECURITY DEFINER) with a fixed search_path, refuse
-- to serve any table but their own, and may not be attached to a table by anybody else (grants.sql).
-- A refusal names its rule in the constraint field of the error.

-- Append-only: refused for everyone, the owner too.

CREATE OR REPLACE FUNCTION ledger_forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the ledger only grows', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_ARGV[0];
END $$;

CREATE TRIGGER books_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_books
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid_change('books_never_change');
CREATE TRIGGER transfers_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid_change('transfers_never_change');
CREATE TRIGGER legs_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_leg
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid_change('legs_never_change');
CREATE TRIGGER holds_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_hold
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid_change('holds_never_change');
CREATE TRIGGER hold_results_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_hold_result
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid_change('hold_results_never_change');
CREATE TRIGGER balances_are_never_removed BEFORE DELETE OR TRUNCATE ON ledger_balance
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_forbid_change('balances_are_never_removed');

-- Balances: one row for each limited books, opened with them, moved by the triggers below alone.

CREATE OR REPLACE FUNCTION ledger_refuse_direct_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION '% on ledger_balance is refused: balances follow the legs', TG_OP
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'balances_follow_the_legs';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER balances_follow_the_legs BEFORE INSERT OR UPDATE ON ledger_balance
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_balance();

CREATE OR REPLACE FUNCTION ledger_open_balances() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_RELID <> 'public.ledger_books'::regclass THEN
    RAISE EXCEPTION 'ledger_open_balances serves ledger_books alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO ledger_balance (books_id) SELECT id FROM opened WHERE limited;
  RETURN NULL;
END $$;

CREATE TRIGGER limited_books_open_a_balance AFTER INSERT ON ledger_books
  REFERENCING NEW TABLE AS opened FOR EACH STATEMENT EXECUTE FUNCTION ledger_open_balances();

-- Transfers: the database writes who-wrote-it itself, and at commit every header has balanced legs.

CREATE OR REPLACE FUNCTION ledger_stamp_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.xid := pg_current_xact_id();
  RETURN NEW;
END $$;

CREATE TRIGGER transfer_is_stamped BEFORE INSERT ON ledger_transfer
  FOR EACH ROW EXECUTE FUNCTION ledger_stamp_transfer();

CREATE OR REPLACE FUNCTION ledger_check_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  legs bigint;
  unbalanced bigint;
BEGIN
  SELECT coalesce(sum(c.legs), 0), count(*) FILTER (WHERE c.micros <> 0) INTO legs, unbalanced
    FROM (SELECT count(*) AS legs, sum(amount_micros) AS micros
            FROM public.ledger_leg WHERE transfer_id = NEW.id GROUP BY currency) c;
  IF legs = 0 OR unbalanced > 0 THEN
    RAISE EXCEPTION 'transfer % does not balance', NEW.key
      USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balances';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transfer_balances AFTER INSERT ON ledger_transfer
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_transfer();

CREATE OR REPLACE FUNCTION ledger_check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (
      SELECT books_id, amount_micros AS micros, 1 AS side FROM public.ledger_leg WHERE transfer_id = NEW.reverses_id
      UNION ALL
      SELECT books_id, -amount_micros, -1 FROM public.ledger_leg WHERE transfer_id = NEW.id
    ) l GROUP BY l.books_id, l.micros HAVING sum(l.side) <> 0
  ) THEN
    RAISE EXCEPTION 'transfer % does not mirror the one it reverses', NEW.key
      USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_mirrors_the_original';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER reversal_mirrors_the_original AFTER INSERT ON ledger_transfer
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL)
  EXECUTE FUNCTION ledger_check_reversal();

-- Legs: all legs of a transfer come in one statement of the transaction that wrote its header, and
-- balance there. So a posted transfer is sealed, also within its own transaction and also when
-- somebody has the deferred check fire early (SET CONSTRAINTS ... IMMEDIATE).

CREATE OR REPLACE FUNCTION ledger_seal_legs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  late bigint;
BEGIN
  SELECT a.transfer_id INTO late FROM (SELECT transfer_id, count(*) AS legs FROM added GROUP BY transfer_id) a
    LEFT JOIN public.ledger_transfer t ON t.id = a.transfer_id
    WHERE t.xid IS DISTINCT FROM pg_current_xact_id()
       OR a.legs <> (SELECT count(*) FROM public.ledger_leg l WHERE l.transfer_id = a.transfer_id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'transfer % is sealed: no leg can be added', late
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'posted_means_sealed';
  END IF;
  SELECT transfer_id INTO late FROM added GROUP BY transfer_id, currency HAVING sum(amount_micros) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the legs of transfer % do not balance', late
      USING ERRCODE = 'check_violation', CONSTRAINT = 'legs_balance';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER legs_come_once_and_balanced AFTER INSERT ON ledger_leg
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_seal_legs();

-- One pass over the limited balances in the order of their books, whatever the number of transfers:
-- two batches that touch the same books queue up and never wait for each other in a circle. What is
-- missing is said by name here; the CHECK on the table has the last word.

CREATE OR REPLACE FUNCTION ledger_refuse_overdraft(books bigint, missing numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'insufficient funds' USING
    ERRCODE = 'check_violation', CONSTRAINT = 'balance_covers_what_is_held',
    DETAIL = (SELECT concat_ws('/', kind, owner, currency, missing) FROM public.ledger_books WHERE id = books);
END $$;

CREATE OR REPLACE FUNCTION ledger_move_balances() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  short record;
BEGIN
  IF TG_RELID <> 'public.ledger_leg'::regclass THEN
    RAISE EXCEPTION 'ledger_move_balances serves ledger_leg alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  WITH locked AS MATERIALIZED (
    SELECT books_id, posted_micros - held_micros AS free FROM ledger_balance
     WHERE books_id IN (SELECT books_id FROM added) ORDER BY books_id FOR NO KEY UPDATE
  )
  SELECT locked.books_id, -(locked.free + s.micros) AS missing INTO short
    FROM locked JOIN (SELECT books_id, sum(amount_micros) AS micros FROM added GROUP BY books_id) s USING (books_id)
   WHERE s.micros < 0 AND locked.free + s.micros < 0 ORDER BY locked.books_id LIMIT 1;
  IF FOUND THEN
    PERFORM ledger_refuse_overdraft(short.books_id, short.missing);
  END IF;
  UPDATE ledger_balance b SET posted_micros = b.posted_micros + s.micros, version = b.version + 1
    FROM (SELECT books_id, sum(amount_micros) AS micros FROM added GROUP BY books_id) s
    WHERE b.books_id = s.books_id;
  RETURN NULL;
END $$;

CREATE TRIGGER legs_move_balances AFTER INSERT ON ledger_leg
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_move_balances();

-- Holds: set money apart, let it go once.

CREATE OR REPLACE FUNCTION ledger_place_holds() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  short record;
BEGIN
  IF TG_RELID <> 'public.ledger_hold'::regclass THEN
    RAISE EXCEPTION 'ledger_place_holds serves ledger_hold alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF EXISTS (SELECT FROM placed p JOIN ledger_books b ON b.id = p.books_id WHERE NOT b.limited) THEN
    RAISE EXCEPTION 'only limited books can hold money'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_are_on_limited_books';
  END IF;
  WITH locked AS MATERIALIZED (
    SELECT books_id, posted_micros - held_micros AS free FROM ledger_balance
     WHERE books_id IN (SELECT books_id FROM placed) ORDER BY books_id FOR NO KEY UPDATE
  )
  SELECT locked.books_id, s.micros - locked.free AS missing INTO short
    FROM locked JOIN (SELECT books_id, sum(amount_micros) AS micros FROM placed GROUP BY books_id) s USING (books_id)
   WHERE s.micros > locked.free ORDER BY locked.books_id LIMIT 1;
  IF FOUND THEN
    PERFORM ledger_refuse_overdraft(short.books_id, short.missing);
  END IF;
  UPDATE ledger_balance b SET held_micros = b.held_micros + s.micros, version = b.version + 1
    FROM (SELECT books_id, sum(amount_micros) AS micros FROM placed GROUP BY books_id) s
    WHERE b.books_id = s.books_id;
  RETURN NULL;
END $$;

CREATE TRIGGER holds_set_money_apart AFTER INSERT ON ledger_hold
  REFERENCING NEW TABLE AS placed FOR EACH STATEMENT EXECUTE FUNCTION ledger_place_holds();

CREATE OR REPLACE FUNCTION ledger_end_holds() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_RELID <> 'public.ledger_hold_result'::regclass THEN
    RAISE EXCEPTION 'ledger_end_holds serves ledger_hold_result alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM FROM ledger_balance
    WHERE books_id IN (SELECT h.books_id FROM ended e JOIN ledger_hold h ON h.id = e.hold_id)
    ORDER BY books_id FOR NO KEY UPDATE;
  UPDATE ledger_balance b SET held_micros = b.held_micros - s.micros, version = b.version + 1
    FROM (SELECT h.books_id, sum(h.amount_micros) AS micros
            FROM ended e JOIN ledger_hold h ON h.id = e.hold_id GROUP BY h.books_id) s
    WHERE b.books_id = s.books_id;
  RETURN NULL;
END $$;

CREATE TRIGGER hold_results_let_money_go AFTER INSERT ON ledger_hold_result
  REFERENCING NEW TABLE AS ended FOR EACH STATEMENT EXECUTE FUNCTION ledger_end_holds();

-- A capture is a transfer of the same transaction that takes from the hold's books no more than was
-- held, before the hold expired.

CREATE OR REPLACE FUNCTION ledger_check_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM public.ledger_hold h
      JOIN public.ledger_transfer t ON t.key = NEW.transfer_key
      WHERE h.id = NEW.hold_id AND t.xid = pg_current_xact_id()
        AND t.effective_at <= coalesce(h.expires_at, 'infinity')
        AND (SELECT -sum(l.amount_micros) FROM public.ledger_leg l
               WHERE l.transfer_id = t.id AND l.books_id = h.books_id) BETWEEN 1 AND h.amount_micros
  ) THEN
    RAISE EXCEPTION 'transfer % does not capture hold %', NEW.transfer_key, NEW.hold_id
      USING ERRCODE = 'check_violation', CONSTRAINT = 'capture_takes_what_was_held_at_most';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER capture_takes_what_was_held_at_most AFTER INSERT ON ledger_hold_result
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.outcome = 'captured')
  EXECUTE FUNCTION ledger_check_capture();
