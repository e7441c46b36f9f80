-- Who may do what. The app role owns nothing, adds rows, and never writes a balance. Run again after
-- every change of roles; where the roles do not exist (one role for everything) only the triggers guard.

REVOKE ALL ON FUNCTION ledger_open_balances(), ledger_move_balances(), ledger_place_holds(), ledger_end_holds(),
  ledger_lock_books(text[], text[], text[]) FROM PUBLIC;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'touchstone_app') THEN
    REVOKE ALL ON ledger_books, ledger_transfer, ledger_leg, ledger_balance, ledger_hold, ledger_hold_result
      FROM touchstone_app;
    GRANT SELECT, INSERT ON ledger_books, ledger_transfer, ledger_leg, ledger_hold, ledger_hold_result
      TO touchstone_app;
    GRANT SELECT ON ledger_balance TO touchstone_app;
    REVOKE ALL ON FUNCTION ledger_open_balances(), ledger_move_balances(), ledger_place_holds(), ledger_end_holds()
      FROM touchstone_app;
    GRANT EXECUTE ON FUNCTION ledger_lock_books(text[], text[], text[]), ledger_open_books(text[], text[], text[]),
      ledger_post(text[], text[], text[], bigint[], text[], text[], text[], bytea[], text[], text[], text[],
                  int[], int[], bigint[], timestamptz)
      TO touchstone_app;
  END IF;
END $$;
