-- Posting: any number of transfers in one call. Replaced in place when it changes.

-- Writes the transfers whose keys are new and opens the books they need; a key that exists is left
-- alone. Answers one row for each draft: its key, the transfer that bears it, and whether that
-- transfer has the digest that was sent. Drafts come sorted by key, so that two callers with the same
-- keys queue up. A leg names its draft and its books by position (from 1) in the arrays beside it.
CREATE OR REPLACE FUNCTION ledger_post(
  keys text[], kinds text[], refs text[], reversed bigint[], actors text[], approvers text[], reasons text[],
  digests bytea[], books_kinds text[], books_owners text[], books_currencies text[],
  leg_drafts int[], leg_books int[], leg_micros bigint[], at timestamptz
) RETURNS TABLE (draft_key text, posted_as bigint, same_content boolean) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ledger_open_books(books_kinds, books_owners, books_currencies);

  WITH header AS (
    INSERT INTO ledger_transfer (key, kind, ref, reverses_id, xid, effective_at, actor, approver, reason, digest)
    SELECT d.key, d.kind, d.ref, d.reverses, pg_current_xact_id(), coalesce(at, clock_timestamp()),
           d.actor, d.approver, d.reason, d.digest
      FROM unnest(keys, kinds, refs, reversed, actors, approvers, reasons, digests)
             AS d (key, kind, ref, reverses, actor, approver, reason, digest)
    ON CONFLICT (key) DO NOTHING
    RETURNING id, key
  ), books AS MATERIALIZED (
    SELECT a.n, b.id, b.currency
      FROM unnest(books_kinds, books_owners, books_currencies) WITH ORDINALITY AS a (kind, owner, currency, n)
      JOIN ledger_books b ON b.kind = a.kind AND b.owner = a.owner AND b.currency = a.currency
  )
  INSERT INTO ledger_leg (transfer_id, books_id, currency, amount_micros)
  SELECT h.id, b.id, b.currency, l.micros
    FROM unnest(leg_drafts, leg_books, leg_micros) AS l (draft, books, micros)
    JOIN header h ON h.key = keys[l.draft]
    LEFT JOIN books b ON b.n = l.books;

  RETURN QUERY
    SELECT d.key, t.id, t.digest = d.digest
      FROM unnest(keys, digests) AS d (key, digest) JOIN ledger_transfer t ON t.key = d.key;
END $$;

-- Opens those of the named books that do not exist yet.
CREATE OR REPLACE FUNCTION ledger_open_books(books_kinds text[], books_owners text[], books_currencies text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_books (kind, owner, currency)
  SELECT a.kind, a.owner, a.currency
    FROM unnest(books_kinds, books_owners, books_currencies) AS a (kind, owner, currency)
   WHERE NOT EXISTS (SELECT FROM ledger_books b
                      WHERE b.kind = a.kind AND b.owner = a.owner AND b.currency = a.currency)
   ORDER BY 1, 2, 3
  ON CONFLICT (kind, owner, currency) DO NOTHING;
END $$;

-- Locks the balances of the named books, in the order of their ids, until the transaction ends. For a
-- transaction that posts more than once: lock everything first.
CREATE OR REPLACE FUNCTION ledger_lock_books(books_kinds text[], books_owners text[], books_currencies text[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM ledger_open_books(books_kinds, books_owners, books_currencies);
  PERFORM FROM ledger_balance WHERE books_id IN (
      SELECT b.id FROM unnest(books_kinds, books_owners, books_currencies) AS a (kind, owner, currency)
        JOIN ledger_books b ON b.kind = a.kind AND b.owner = a.owner AND b.currency = a.currency)
    ORDER BY books_id FOR NO KEY UPDATE;
END $$;
